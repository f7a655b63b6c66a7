"""What comments say about entries of a file: at the end of the line, or alone on the lines above."""

from __future__ import annotations

import re

_END = re.compile(r"""^(?:[^#"']|"[^"]*"|'[^']*'|(?<=\S)#)*?\s#\s?(?P<text>.*)$""")


def comment_at(lines: list[str], number: int) -> str:
    """The comment that belongs to a line (from 1); empty when there is none."""
    if not 0 < number <= len(lines):
        return ""
    own = _END.match(lines[number - 1])
    if own and not own["text"].startswith("stackwright:"):
        return own["text"].strip()
    found: list[str] = []
    for line in reversed(lines[: number - 1]):
        text = line.strip()
        if not text.startswith("#") or text.startswith("# stackwright:"):
            break
        found.append(text.lstrip("# ").strip())
    return " ".join(reversed([text for text in found if text]))
