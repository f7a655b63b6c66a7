"""How often a test with chance in it is repeated: a few times, or as often as STACKWRIGHT_RANDOM_ROUNDS says."""

from __future__ import annotations

import os
import random


def rounds(few: int) -> int:
    """`few`, unless somebody wants more."""
    return int(os.environ.get("STACKWRIGHT_RANDOM_ROUNDS", "0")) or few


def chance() -> random.Random:
    """The same numbers each time; with many rounds (or STACKWRIGHT_RANDOM_SEED) others, which are printed."""
    asked = os.environ.get("STACKWRIGHT_RANDOM_SEED")
    fresh = "STACKWRIGHT_RANDOM_ROUNDS" in os.environ
    seed = int(asked) if asked else random.SystemRandom().randrange(1 << 32) if fresh else 7
    print(f"STACKWRIGHT_RANDOM_SEED={seed}")
    return random.Random(seed)
