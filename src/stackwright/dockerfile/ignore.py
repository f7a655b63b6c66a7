"""``.dockerignore``: which paths of a context stay behind (the rules of moby's patternmatcher)."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from stackwright.dockerfile.errors import DockerfileError


@dataclass(frozen=True, slots=True)
class _Pattern:
    regex: re.Pattern[str]
    negated: bool
    text: str


class DockerIgnore:
    """The patterns of one file, in order; the last that matches decides."""

    def __init__(self, patterns: tuple[_Pattern, ...] = ()) -> None:
        self._patterns = patterns
        self.has_negations = any(pattern.negated for pattern in patterns)
        """When false, an excluded folder need not be looked into."""

    @classmethod
    def parse(cls, text: str) -> DockerIgnore:
        """Read the file's text; DockerfileError names a pattern that can't be read."""
        found: list[_Pattern] = []
        for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
            if line.startswith("#"):
                continue
            pattern = line.strip()
            negated = pattern.startswith("!")
            pattern = pattern.removeprefix("!").strip()
            if not pattern:
                if negated:
                    raise DockerfileError('illegal exclusion pattern: "!"', number)
                continue
            clean = posixpath.normpath(pattern.lstrip("/") or ".")
            try:
                found.append(_Pattern(re.compile(_regex(clean), re.DOTALL), negated, clean))
            except re.error as error:
                raise DockerfileError(f'syntax error in pattern "{pattern}": {error}', number) from None
        return cls(tuple(found))

    def excludes(self, path: str) -> bool:
        """Whether ``path`` (relative to the context, with slashes) stays behind."""
        excluded = False
        parts = path.strip("/").split("/")
        candidates = ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
        for pattern in self._patterns:
            if pattern.negated == excluded and any(map(pattern.regex.fullmatch, candidates)):
                excluded = not pattern.negated
        return excluded

    def may_include_below(self, folder: str) -> bool:
        """Whether something below an excluded folder could be wanted back by a later ``!pattern``."""
        return self.has_negations and any(
            pattern.negated
            and (
                pattern.text.startswith(f"{folder}/")
                or any(char in pattern.text for char in "*?[\\")
                or folder.startswith(f"{pattern.text}/")
            )
            for pattern in self._patterns
        )


def _regex(pattern: str) -> str:
    """A glob where ``*`` and ``?`` stop at slashes and ``**`` does not."""
    out, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*" and pattern[at : at + 1] == "*":
            at += 1
            if pattern[at : at + 1] == "/":
                at += 1
            out += ".*" if at >= len(pattern) else "(?:.*/)?"
        elif char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif char == "\\" and at < len(pattern):
            out += re.escape(pattern[at])
            at += 1
        elif char == "[" and (end := pattern.find("]", at + 1)) > 0:
            inner = pattern[at:end].replace("\\", "\\\\")
            out += f"[{inner}]"
            at = end + 1
        else:
            out += re.escape(char)
    return out
