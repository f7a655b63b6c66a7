"""``--chown`` and ``--chmod``."""

from __future__ import annotations

import re
from collections.abc import Callable

from stackwright.embedded.builder.errors import StepFailed
from stackwright.embedded.images.view import LayerView

_CLAUSE = re.compile(r"([ugoa]*)([-+=])([rwxX]*)")
_WHO = {"u": 0o700, "g": 0o070, "o": 0o007}
_BITS = {"r": 0o444, "w": 0o222, "x": 0o111}


def owner_of(text: str, view: LayerView) -> tuple[int, int]:
    """``user[:group]`` by name or number; names from the image's /etc/passwd and /etc/group."""
    user, colon, group = text.partition(":")
    uid = int(user) if user.isdigit() else _number("/etc/passwd", user, 2, view)
    if not colon:
        group = user  # Docker: the group of the same name, or for a number the same number
        if not user.isdigit():
            return uid, _number("/etc/passwd", user, 3, view)
    gid = int(group) if group.isdigit() else _number("/etc/group", group, 2, view)
    return uid, gid


def _number(file: str, name: str, field: int, view: LayerView) -> int:
    for line in view.read_text(file).splitlines():
        fields = line.split(":")
        if fields[0] == name and len(fields) > field and fields[field].isdigit():
            return int(fields[field])
    number, kind = ("uid", "user") if file == "/etc/passwd" else ("gid", "group")
    raise StepFailed(
        f"unable to convert uid/gid chown string to host mapping: "
        f"can't find {number} for {kind} {name}: no such {kind}: {name}"
    )


def mode_changer(text: str) -> Callable[[int, bool], int]:
    """``755`` or ``u=rwX,go=rX`` as a function of the old permissions and "is a folder"."""
    if re.fullmatch(r"[0-7]{1,4}", text):
        fixed = int(text, 8)
        return lambda mode, is_dir: fixed
    clauses = []
    for part in text.split(","):
        match = _CLAUSE.fullmatch(part)
        if match is None:
            raise StepFailed(
                f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777"
            )
        clauses.append((match[1] or "a", match[2], match[3]))

    def change(mode: int, is_dir: bool) -> int:
        for who, operator, letters in clauses:
            reach = sum(_WHO[one] for one in set("ugo" if "a" in who else who))
            bits = 0
            for letter in letters:
                if letter == "X":
                    letter = "x" if is_dir or mode & 0o111 else ""
                bits |= _BITS.get(letter, 0)
            bits &= reach
            mode = {"+": mode | bits, "-": mode & ~bits, "=": (mode & ~reach) | bits}[operator]
        return mode

    return change
