"""Check, and mend, every Compose file below some folders: no crash, and what was found, rule by rule.

    python bench/check_corpus.py FOLDER... [--show]

Each file is checked alone and without its folder, so nothing is said about files that lie beside it. Mends are
applied in memory and proved: the result loads, and a second run changes nothing.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from pathlib import Path

from stackwright.checks.environments import Environment, file_kind
from stackwright.checks.files import Files
from stackwright.checks.mending import mend
from stackwright.checks.rule import rules
from stackwright.checks.run import Options, check
from stackwright.model.load import Request, examine

NAME = re.compile(r"(?:docker-)?compose[\w.-]*\.ya?ml")


def corpus(folders: list[str]) -> list[Path]:
    """The distinct Compose files below the folders."""
    seen: dict[bytes, Path] = {}
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.y*ml")):
            if NAME.fullmatch(path.name) and path.is_file() and b"services:" in (text := path.read_bytes()):
                seen.setdefault(text, path)
    return list(seen.values())


def main(words: list[str]) -> int:
    """Run over the folders; the exit code counts what went wrong with mends."""
    show = "--show" in words
    paths = corpus([word for word in words if not word.startswith("-")])
    known, codes, files, wrong, mended = rules(), Counter[str](), Counter[str](), 0, 0
    begun = time.perf_counter()
    for path in paths:
        environment = Environment("default", file_kind(str(path)), str(path.parent), (str(path),))
        options = Options(files=Files(look=False))
        result = check([environment], options)
        codes.update(finding.code for finding in result.findings)
        files.update({finding.code for finding in result.findings})
        if show:
            print(f"== {path}")
            for one in result.findings:
                print(f"{one.severity.word[0].upper()} {one.code} {one.place.line}: {one.message}")
        done = mend([environment], options)
        mended += len(done.done)
        for text in done.unproved:
            print(f"left alone: {path}: {text[0].code}: {text[1]}")
        again = mend([environment], Options(files=Files(done.after, look=False)))
        if any(again.after[name] != text for name, text in done.after.items()):
            wrong += 1
            print(f"not stable: {path}")
        before = examine(Request([path], environment={}))[1].problems
        after = examine(Request([path], environment={}, unsaved=done.after))[1].problems
        if len(after) > len(before):
            wrong += 1
            print(f"broken by mends: {path}")
    print(f"{len(paths)} files in {time.perf_counter() - begun:.1f} s, {mended} mends, {wrong} wrong")
    for code, count in codes.most_common():
        rule = known.get(code)
        severity = rule.severity.word if rule and rule.severity else "error" if rule is None else "production"
        print(f"{code:24}{severity:12}{count:5} in {files[code]:4} files")
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
