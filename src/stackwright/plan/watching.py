"""`develop.watch` as decisions: which changed files mean what for which service. Pure: paths in, work out.

Compose Develop Specification. Of one batch of changes each service does one thing: a rebuild makes everything else
needless; otherwise its files are copied, once, then come hooks, or a restart.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch

from msgspec import Struct

from stackwright.dockerfile import DockerIgnore
from stackwright.model.project import Project
from stackwright.model.types import Hook, WatchRule

FLEETING = (
    ".git", ".hg", ".svn", ".idea", ".DS_Store", "4913", "*~", ".#*", "#*#", "*.sw?", ".*.sw?", "*.swpx",
    "*.kate-swp", ".goutputstream-*", "*___jb_tmp___", "*___jb_old___", "*.crswap", ".fuse_hidden*", ".nfs*",
)  # fmt: skip
"""Names, of files or of folders around them, that editors and version control make and nobody means."""


class Rule(Struct, frozen=True):
    """One rule of one service, ready to be asked. Paths are absolute."""

    service: str
    rule: WatchRule
    ignore: DockerIgnore
    include: DockerIgnore | None
    context: str = ""
    context_ignore: DockerIgnore | None = None

    @property
    def path(self) -> str:
        """What is watched, without a slash at the end."""
        return self.rule.path.rstrip("/") or "/"

    @property
    def syncs(self) -> bool:
        """Whether files are copied."""
        return self.rule.action.startswith("sync")

    def covers(self, path: str) -> bool:
        """Whether a path is the rule's, or below it."""
        return path == self.path or path.startswith(self.path.rstrip("/") + "/")

    def inner(self, path: str) -> str | None:
        """Where a file is below the rule's path (`.` for the path itself); None when the rule does not mean it."""
        if not self.covers(path):
            return None
        inner = posixpath.relpath(path, self.path)
        if any(fnmatch(part, name) for part in inner.split("/") for name in FLEETING):
            return None
        if self.ignore.excludes(inner):
            return None
        if self.include is not None and inner != "." and not self.include.excludes(inner):
            return None
        if (
            self.context_ignore is not None
            and path.startswith(self.context + "/")
            and self.context_ignore.excludes(posixpath.relpath(path, self.context))
        ):
            return None
        return inner

    def hopeless(self, folder: str) -> bool:
        """Whether nothing in a folder can be meant, so that nobody needs to look into it."""
        if self.inner(folder) is not None or self.include is not None:
            return False
        inner = posixpath.relpath(folder, self.path)
        if any(fnmatch(part, name) for part in inner.split("/") for name in FLEETING):
            return True
        if self.ignore.excludes(inner):
            return not self.ignore.may_include_below(inner)
        assert self.context_ignore is not None
        return not self.context_ignore.may_include_below(posixpath.relpath(folder, self.context))

    def destination(self, inner: str) -> str:
        """Where a file goes in the container."""
        return posixpath.normpath(posixpath.join(self.rule.target, inner))


class Silent(Struct, frozen=True):
    """A service, or a rule of one, for which nothing will happen, and why."""

    service: str
    why: str
    path: str = ""
    """In the model, for its place in the file."""


def rules(
    project: Project, names: Iterable[str], ignores: Mapping[str, DockerIgnore]
) -> tuple[list[Rule], list[Silent]]:
    """The rules of the named services, and what is silent among them.

    `ignores` is what `.dockerignore` says, by build context.
    """
    found: list[Rule] = []
    silent: list[Silent] = []
    for name in names:
        service = project.services[name]
        where = f"services.{name}.develop.watch"
        watched = service.develop.watch if service.develop is not None else []
        if not watched:
            missing = "develop.watch" if service.build is not None else "build and no develop.watch"
            silent.append(Silent(name, f"it has no {missing} section", f"services.{name}"))
            continue
        context = service.build.context.rstrip("/") if service.build is not None else ""
        mounted = {mount.source for mount in service.volumes if mount.type == "bind"}
        for rule in watched:
            path = rule.path.rstrip("/") or "/"
            if rule.action == "rebuild" and service.build is None:
                silent.append(Silent(name, f'it has no build section, so "{path}" cannot rebuild it', where))
            elif rule.action != "rebuild" and path in mounted:
                silent.append(
                    Silent(name, f'"{path}" is mounted into it: changes are there without watching', where)
                )
            else:
                found.append(
                    Rule(
                        name,
                        rule,
                        DockerIgnore.parse("\n".join(rule.ignore)),
                        DockerIgnore.parse("\n".join(rule.include)) if rule.include else None,
                        context,
                        ignores.get(context),
                    )
                )
    return found, silent


class Work(Struct):
    """What one service does about one batch of changes."""

    service: str
    rebuild: bool = False
    restart: bool = False
    copies: dict[str, str] = {}
    """Path here to path in the container, of what changed or went away."""
    hooks: list[Hook] = []
    changed: set[str] = set()
    """Every changed path that concerns the service."""

    def join(self, later: Work) -> None:
        """Take in what came while this was still waiting to be done."""
        self.rebuild, self.restart = self.rebuild or later.rebuild, self.restart or later.restart
        self.copies |= later.copies
        self.hooks += [hook for hook in later.hooks if hook not in self.hooks]
        self.changed |= later.changed


def decide(found: Iterable[Rule], changes: Iterable[str]) -> dict[str, Work]:
    """Work by service for a batch of changed paths; a service that no rule concerns is not in it."""
    work: dict[str, Work] = {}
    for path in sorted(changes):
        for rule in found:
            inner = rule.inner(path)
            if inner is None:
                continue
            one = work.setdefault(rule.service, Work(rule.service))
            one.changed.add(path)
            if rule.rule.action == "rebuild":
                one.rebuild = True
            if rule.syncs:
                one.copies[path] = rule.destination(inner)
            if rule.rule.action in ("restart", "sync+restart"):
                one.restart = True
            if rule.rule.action == "sync+exec" and rule.rule.exec not in one.hooks:
                one.hooks.append(rule.rule.exec)
    return work
