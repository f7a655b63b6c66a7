"""libyaml's complaints, in words for the person who wrote the file.

libyaml says at which character it could not go on. The mistake is often before that: a colon that is missing on
the line above, a quote that was opened three lines earlier. Each kind of complaint has a function here that
looks at the text and finds the place and the words; where none knows better, libyaml's own are kept.
"""

from __future__ import annotations

from stackwright.model.marks import mark_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from stackwright.model.sources import Reporter

    Complaint = tuple[int, int, str, str]
    """Line and column from 0, what is wrong, and a mend or an empty text."""


def report_syntax(error: Any, text: bytes, file: int, report: Reporter) -> None:
    """Report what libyaml raised for a file's text."""
    position = getattr(error, "position", None)
    if position is not None:
        before = text[:position]
        line = before.count(b"\n")
        column = position - (before.rfind(b"\n") + 1)
        reason = "this is not text in UTF-8" if "octet" in error.reason else error.reason
        report.error("yaml-encoding", reason, mark_of(file, line, column))
        return
    at = error.problem_mark or error.context_mark
    problem = error.problem or str(error)
    if at is None:
        report.error("yaml-syntax", problem, mark_of(file, 0, 0))
        return
    page = _Page(text, error)
    for sign, explain in _EXPLAIN.items():
        if sign in problem:
            found = explain(page)
            if found:
                line, column, message, hint = found
                report.error("yaml-syntax", message, mark_of(file, line, column), hint=hint)
                return
    if error.context and error.context_mark:
        problem = f"{error.context} at line {error.context_mark.line + 1}: {problem}"
    report.error("yaml-syntax", problem, mark_of(file, at.line, at.column))


class _Page:
    """The lines of a file, where libyaml stopped, and where the thing began that it was in the middle of."""

    def __init__(self, text: bytes, error: Any) -> None:
        coding = "utf-16" if text[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
        whole = text.decode(coding, "replace").removeprefix("\ufeff").replace("\r\n", "\n")
        for end in "\r\x85\u2028\u2029":  # YAML ends lines with these, too
            whole = whole.replace(end, "\n")
        self.lines = whole.split("\n")
        at = error.problem_mark or error.context_mark
        start = error.context_mark or at
        self.line: int = at.line
        self.column: int = at.column
        self.first: int = start.line
        self.first_column: int = start.column
        self.within = _OPENED.get(error.context or "", "")

    def source(self, line: int) -> str:
        return self.lines[line] if 0 <= line < len(self.lines) else ""

    def indent(self, line: int) -> int:
        source = self.source(line)
        return len(source) - len(source.lstrip(" "))

    @property
    def here(self) -> str:
        return self.source(self.line)

    @property
    def starts_line(self) -> bool:
        """Whether nothing but spaces is before the place on its line."""
        return not self.here[: self.column].strip()

    def above(self) -> int:
        """The nearest line above that says something; -1 when there is none."""
        line = self.line - 1
        while line >= 0 and (not self.source(line).strip() or self.source(line).lstrip().startswith("#")):
            line -= 1
        return line


_OPENED = {
    "while parsing a flow sequence": "this list",
    "while parsing a flow mapping": "this mapping",
    "while parsing a flow node": "this list or mapping",
    "while scanning a quoted scalar": "this quoted text",
}
"""What libyaml was in the middle of."""


def _second_colon(page: _Page) -> Complaint | None:
    """A key where a value goes on: a colon too many here, or one too few or too little indent above."""
    if ": " in page.here[: page.column]:
        mend = "put the value in quotes, or its parts on lines of their own"
        return page.line, page.column, 'a second ": " in one value', mend
    above = page.above()
    said = page.source(above).strip().removeprefix("- ")
    if above < 0 or not said:
        return None
    column = len(page.source(above)) - len(page.source(above).lstrip(" -"))
    if ":" not in said:
        key, _, value = said.partition(" ")
        mend = f'write "{key}: {value.strip()}"' if value else f'write "{key}:"'
        return above, column, f'there is no colon after "{key}"', mend
    if page.indent(page.line) > page.indent(above):
        message = f"this line is indented further than line {above + 1}, which has a value already"
        return page.line, page.indent(page.line), message, "indent both alike"
    return None


def _no_colon(page: _Page) -> Complaint | None:
    """A word alone where a key should be."""
    word = page.source(page.first)[page.first_column :].strip()
    if not word or ":" in word:
        return None
    key, _, value = word.partition(" ")
    mend = (
        f'write "{key}: {value.strip()}"' if value else f'write "{key}:", or "- {key}" for an entry of a list'
    )
    return page.first, page.first_column, f'there is no colon after "{key}"', mend


def _no_dash(page: _Page) -> Complaint | None:
    """Something among the entries of a list that is none."""
    mend = 'start it with "- ", or indent it like the keys it belongs with'
    message = f"this is no entry of the list that starts at line {page.first + 1}"
    return page.line, page.column, message, mend


def _no_key(page: _Page) -> Complaint | None:
    """Something in a mapping that is no key: an indent that fits nothing, or more text after a quote."""
    if page.starts_line:
        spaces, outer = page.indent(page.line), page.first_column
        if page.here[page.column :].startswith(("- ", "-\t")) or page.here[page.column :] == "-":
            message = "an entry of a list among the keys of a mapping"
            return page.line, page.column, message, "indent it below the key that it belongs to"
        if spaces <= outer:
            return None
        message = f"an indent of {spaces} fits nothing above: line {page.first + 1} has {outer}"
        return page.line, page.column, message, "indent it like the lines it belongs with"
    quote = page.here[: page.column].rstrip()[-1:]
    if quote not in ("'", '"'):
        return None
    for line in range(page.first, page.line + 1):
        source = page.source(line)
        if source.count(quote) % 2 and line < page.line:
            return (
                line,
                source.index(quote),
                f"this {quote} is not closed on its line",
                f"add a {quote} at its end",
            )
    double = "''" if quote == "'" else '\\"'
    mend = f"inside the text write {double} for {quote}, or put the other kind of quotes around it"
    return page.line, page.column, f"the quoted text ends at the {quote} before this", mend


def _not_closed(page: _Page) -> Complaint | None:
    """The text ended, or went on at the next line, inside brackets or quotes."""
    if not page.within:
        return None
    if not page.here.strip() or page.line > page.first:
        return page.first, page.first_column, f"{page.within} is not closed", ""
    mend = 'put a text that has ": " or "," in it in quotes'
    if "${" in page.here:
        mend = 'inside {…} and […] put what has ${…} in it in quotes: "${NAME}"'
    return page.line, page.column, f"{page.within} should go on with a comma or end here", mend


def _bad_start(page: _Page) -> Complaint | None:
    """A character that begins no value."""
    sign = page.here[page.column : page.column + 1]
    if page.source(page.first)[page.first_column : page.first_column + 1] in ("*", "&"):
        page.line, page.column, sign = (
            page.first,
            page.first_column,
            page.source(page.first)[page.first_column],
        )
    if sign == "\t":
        return page.line, page.column, "a tab cannot be used for indentation", "indent with spaces"
    if not sign:
        return None
    return page.line, page.column, f"a value cannot start with {sign}", "put it in quotes"


_EXPLAIN: dict[str, Callable[[_Page], Complaint | None]] = {
    "mapping values are not allowed": _second_colon,
    "did not find expected key": _no_key,
    "did not find expected ','": _not_closed,
    "unexpected end of stream": _not_closed,
    "found unexpected end": _not_closed,
    "could not find expected ':'": _no_colon,
    "did not find expected '-'": _no_dash,
    "cannot start any token": _bad_start,
    "did not find expected alphabetic": _bad_start,
}
"""What libyaml says → who explains it."""
