"""How a step is written down in an image's history: Docker's classic builder's own notation."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from stackwright.dockerfile import Instruction

Expand = Callable[[str], str]


def describe(instruction: Instruction, command: Sequence[str], fill: Expand) -> str:
    """``ENV A=1`` with values filled in; ``command``: what CMD, ENTRYPOINT and SHELL came to."""
    writer = _WRITERS.get(instruction.name)
    if writer is not None:
        return f"{instruction.name} {writer(instruction, command, fill)}"
    flags = "".join(f"--{key}={value} " for key, value in instruction.flags)
    return f"{instruction.name} {flags}{' '.join(instruction.args)}"


def _pairs(instruction: Instruction, command: Sequence[str], fill: Expand) -> str:
    pairs = [word.partition("=") for word in instruction.args]
    return " ".join(f"{fill(name)}={fill(value)}" for name, _, value in pairs)


def _command(instruction: Instruction, command: Sequence[str], fill: Expand) -> str:
    return f"[{' '.join(json.dumps(word, ensure_ascii=False) for word in command)}]"


def _list(instruction: Instruction, command: Sequence[str], fill: Expand) -> str:
    return f"[{' '.join(map(fill, instruction.args))}]"


def _sorted(instruction: Instruction, command: Sequence[str], fill: Expand) -> str:
    return " ".join(sorted(map(fill, instruction.args)))


def _filled(instruction: Instruction, command: Sequence[str], fill: Expand) -> str:
    return fill(instruction.args[0])


_WRITERS: dict[str, Callable[[Instruction, Sequence[str], Expand], str]] = {
    "ENV": _pairs,
    "LABEL": _pairs,
    "CMD": _command,
    "ENTRYPOINT": _command,
    "SHELL": _list,
    "VOLUME": _list,
    "EXPOSE": _sorted,
    "USER": _filled,
    "STOPSIGNAL": _filled,
}
