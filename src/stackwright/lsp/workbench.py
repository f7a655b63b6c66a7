"""The open texts of an editor, and what was last found in each project that they belong to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from stackwright.checks.environments import Environment, file_kind, find_environments
from stackwright.checks.files import Files
from stackwright.checks.finding import Finding
from stackwright.checks.raw import Memory, RawFile
from stackwright.checks.run import Options, check
from stackwright.checks.settings import Settings, SettingsError, read_settings
from stackwright.checks.subject import Subject


@dataclass(slots=True)
class Known:
    """What is known of a project: its environments, and one of them read well enough to look things up in."""

    environments: list[Environment]
    settings: Settings
    files: frozenset[str] = frozenset()
    subject: Subject | None = None
    shown: frozenset[str] = frozenset()


@dataclass(slots=True)
class Workbench:
    """``texts``: what the editor holds, by absolute path. ``variables``: the process environment."""

    variables: dict[str, str] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    projects: dict[str, Known] = field(default_factory=dict)

    def check(self, path: str) -> dict[str, list[Finding]]:
        """The findings of the project of a file, by file; files whose findings went away have an empty list."""
        known = self._project(path)
        if known is None or not known.environments:
            return {}
        options = self._options(known)
        result = check(known.environments, options)
        known.files = frozenset(result.files)
        self._remember(known, path, result.subjects)
        by_file: dict[str, list[Finding]] = {name: [] for name in known.shown}
        for finding in result.findings:
            by_file.setdefault(finding.place.file or path, []).append(finding)
        known.shown = frozenset(name for name, found in by_file.items() if found)
        by_file.setdefault(path, [])
        return by_file

    def subject(self, path: str) -> Subject | None:
        """The project of a file as it was when it could last be read."""
        known = self._project(path)
        if known is not None and known.subject is None and known.environments:
            self._remember(known, path, check(known.environments, self._options(known)).subjects)
        return known.subject if known else None

    def raw(self, path: str) -> RawFile | None:
        """A file's text: the editor's, else the disk's."""
        text = self.texts.get(path)
        if text is None:
            text = Files().read(path)
        return self.memory.raw(path, text) if text is not None else None

    def _options(self, known: Known) -> Options:
        # An editor asks at each key, of half an address, too: it never goes to the network.
        return Options(
            known.settings,
            files=Files(self.texts),
            memory=self.memory,
            variables=self.variables,
            fetch=False,
        )

    def _remember(self, known: Known, path: str, subjects: list[Subject]) -> None:
        """Keep the environment that the file is part of, unless it cannot be read at the moment."""
        for subject in subjects:
            if path not in subject.sources.names and len(subjects) > 1:
                continue
            if subject.section("services"):
                known.subject = subject
                return

    def _project(self, path: str) -> Known | None:
        for known in self.projects.values():
            if path in known.files:
                return known
        file = Path(path)
        key = str(file.parent)
        if key in self.projects and not path.endswith((".yml", ".yaml")):
            return self.projects[key]
        try:
            settings = read_settings(file.parent)
            found = find_environments(file.parent, settings)
        except SettingsError:
            settings, found = Settings(), []
        mine = [one for one in found if path in one.files]
        if not mine and path.endswith((".yml", ".yaml")):
            if not _looks_like_compose(self.texts.get(path, b"")):
                return None
            key = path
            mine = [Environment("default", file_kind(str(file)), str(file.parent), (path,))]
        elif not mine:
            mine = found
        self.projects[key] = Known(mine, settings)
        return self.projects[key]

    def forget(self) -> None:
        """Find environments anew: a file was made, removed or saved outside the editor."""
        self.projects.clear()


def _looks_like_compose(text: bytes) -> bool:
    return text.startswith((b"services:", b"include:")) or b"\nservices:" in text or b"\ninclude:" in text
