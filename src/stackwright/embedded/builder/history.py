"""How a step is written down in an image's history: Docker's classic builder's own notation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence

from stackwright.dockerfile import Instruction

Expand = Callable[[str], str]


def describe(instruction: Instruction, command: Sequence[str], fill: Expand) -> str:
    """``ENV A=1`` with values filled in; ``command``: what CMD, ENTRYPOINT and SHELL came to."""
    writer = _WRITERS.get(instruction.name)
    if writer is not None:
        return f"{instruction.name} {writer(instruction, command, fill)}"
    flags = "".join(f"--{key}={value} " for key, value in instruction.flags)
    return f"{instruction.name} {flags}{' '.join(instruction.args)}"


def run_history(
    args: Sequence[str],
    visible: Mapping[str, str],
    mounts: Sequence[str],
    scripts: Sequence[str],
    instruction: Instruction,
) -> str:
    """``|1 A=1 /bin/sh -c make``, and after it in a comment what else the step's result depends on: what was
    mounted, a script of its own, another network.
    """
    shown = [f"|{len(visible)}", *(f"{name}={value}" for name, value in visible.items())] if visible else []
    more = [f"--mount={text}" if "=" in text else text[:16] for text in mounts]
    more += [f"script:{hashlib.sha256(text.encode()).hexdigest()[:16]}" for text in scripts]
    if (network := instruction.flag("network", "default")) != "default":
        more.append(f"--network={network}")
    return " ".join([*shown, *args, *(["#", *more] if more else [])])


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
