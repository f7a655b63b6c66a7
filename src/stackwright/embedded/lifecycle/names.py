"""Names for containers that nobody named: `quiet_turing`."""

from __future__ import annotations

import secrets
from collections.abc import Callable

_LEFT = (
    "able", "bold", "brave", "bright", "busy", "calm", "clever", "cool", "daring", "eager", "fair", "fancy",
    "gentle", "glad", "happy", "jolly", "keen", "kind", "lively", "lucid", "merry", "modest", "neat", "nifty",
    "patient", "peaceful", "proud", "quiet", "quick", "serene", "sharp", "steady", "sunny", "swift", "tidy",
    "trusting", "upbeat", "vivid", "warm", "wise", "witty", "zealous",
)  # fmt: skip
_RIGHT = (
    "bell", "bohr", "boole", "curie", "darwin", "dijkstra", "einstein", "euclid", "euler", "faraday",
    "fermat", "franklin", "galileo", "gauss", "goodall", "hamilton", "hawking", "hertz", "hopper",
    "hypatia", "kepler",
    "knuth", "lamport", "leavitt", "lovelace", "maxwell", "mendel", "meitner", "newton", "noether", "pascal",
    "pasteur", "perlman", "ritchie", "shannon", "tesla", "thompson", "turing", "volta", "wozniak",
)  # fmt: skip


def invent_name(taken: Callable[[str], bool]) -> str:
    """A name that is free; after a few collisions a number is added."""
    attempt = 0
    while True:
        name = f"{secrets.choice(_LEFT)}_{secrets.choice(_RIGHT)}"
        if attempt > 3:
            name += str(secrets.randbelow(10 ** min(attempt - 2, 9)))
        if not taken(name):
            return name
        attempt += 1
