"""Unpacks archives of strangers into a folder, and nowhere else.

Every entry's parent is resolved here, component by component, the way a process chrooted into the folder
would: ``..``
and absolute links stay inside, symbolic links on the way are followed inside. The folder must be one that
nobody else can write to while it is being filled; under that condition no name can lead out of it.

With ``layer=True`` the result is an overlayfs lower folder: ``.wh.name`` becomes a 0:0 character device,
``.wh..wh..opq`` the ``trusted.overlay.opaque`` attribute (OCI image spec, layer.md, "Whiteouts").
"""

# Plain strings: Path objects are a third of the time on a layer of many small files.
# ruff: noqa: PTH101, PTH102, PTH108, PTH115, PTH211

from __future__ import annotations

import errno
import os
import posixpath
import stat
from dataclasses import dataclass, field
from pathlib import Path

from stackwright.embedded.images.archive.errors import BadArchive, TooLarge
from stackwright.embedded.images.archive.reader import Entry, TarReader
from stackwright.embedded.kernel.userns import give, in_user_namespace

WHITEOUT_PREFIX = ".wh."
WHITEOUT_META_PREFIX = ".wh..wh."
OPAQUE_MARKER = ".wh..wh..opq"
HARMLESS_DEVICES = {(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)}
"""null, zero, full, random, urandom, tty, console, ptmx. Any other device node would be a door into the
host.
"""
_KEPT_XATTRS = ("user.", "security.capability")
_MAX_LINKS = 40
_MAX_DEPTH = 250
"""Of folders in folders, links followed. Nobody's files are deeper, and walking them must not exhaust the
stack.
"""


@dataclass(frozen=True, slots=True)
class UnpackPolicy:
    """How entries become files. ``owner``: give everything to this uid and gid instead of what the archive
    says.
    """

    layer: bool = False
    owner: tuple[int, int] | None = None
    opaque_xattr: str = field(
        default_factory=lambda: f"{'user' if in_user_namespace() else 'trusted'}.overlay.opaque"
    )
    """``user.overlay.opaque`` inside a user namespace (overlayfs mounted with ``userxattr``)."""


@dataclass(slots=True)
class Unpacked:
    """What was done: ``size`` in bytes of file content; ``skipped``: device nodes left out."""

    size: int = 0
    entries: int = 0
    skipped: list[str] = field(default_factory=list)


def unpack(reader: TarReader, root: Path, policy: UnpackPolicy | None = None) -> Unpacked:
    """Unpack all entries below ``root`` (an existing folder); raises BadArchive naming the offending entry."""
    return _Unpacker(reader, os.fspath(root), policy or UnpackPolicy()).run()


class _Unpacker:
    def __init__(self, reader: TarReader, root: str, policy: UnpackPolicy) -> None:
        self._reader, self._root, self._policy = reader, root, policy
        self._parents: dict[str, str] = {}
        self._folder_times: dict[str, int] = {}
        self._whiteouts: set[str] = set()
        self._done = Unpacked()
        self._privileged = os.geteuid() == 0

    def run(self) -> Unpacked:
        for entry in self._reader:
            try:
                self._place(entry)
            except TooLarge:
                raise
            except BadArchive as error:
                raise BadArchive(f'"{_shown(entry.name)}": {error.message}') from None
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO):
                    raise
                raise BadArchive(f'"{_shown(entry.name)}": {error.strerror}') from error
            self._done.entries += 1
        for folder, mtime in self._folder_times.items():
            try:
                os.utime(folder, ns=(mtime, mtime), follow_symlinks=False)
            except FileNotFoundError:
                continue
        return self._done

    def _place(self, entry: Entry) -> None:
        name = _inside(entry.name)
        if not name:
            if entry.kind == "dir":
                self._finish(entry, self._root)
            return
        parent, base = posixpath.split(name)
        folder = self._folder(parent)
        if self._policy.layer and base.startswith(WHITEOUT_PREFIX):
            self._whiteout(folder, base)
            return
        target = f"{folder}/{base}"
        if entry.kind in ("char", "block") and not self._wanted_device(entry):
            self._done.skipped.append(name)
            return
        made_opaque = self._make_room(entry, target)
        self._make(entry, target)
        if entry.kind != "hardlink":
            self._finish(entry, target)
        if made_opaque:
            os.setxattr(target, self._policy.opaque_xattr, b"y")

    def _make(self, entry: Entry, target: str) -> None:
        match entry.kind:
            case "file":
                descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
                try:
                    for chunk in self._reader.chunks():
                        written = os.write(descriptor, chunk)
                        while written < len(chunk):
                            written += os.write(descriptor, chunk[written:])
                finally:
                    os.close(descriptor)
                self._done.size += entry.size
            case "dir":
                if not _is_dir(target):
                    os.mkdir(target, 0o755)
            case "symlink":
                os.symlink(entry.linkname, target)
            case "hardlink":
                os.link(self._linked(entry.linkname), target, follow_symlinks=False)
            case "fifo":
                os.mkfifo(target, 0o600)
            case "char" | "block":
                kind = stat.S_IFCHR if entry.kind == "char" else stat.S_IFBLK
                os.mknod(target, kind | 0o600, os.makedev(entry.major, entry.minor))

    def _finish(self, entry: Entry, target: str) -> None:
        """Owner, permissions, attributes and time, in this order: each would undo the one after it
        otherwise.
        """
        owner = self._policy.owner or (entry.uid, entry.gid)
        if self._privileged:
            try:
                give(target, *owner)
            except (OverflowError, OSError) as error:
                raise BadArchive(f"cannot give it to user {owner[0]}:{owner[1]}: {error}") from error
        if entry.kind != "symlink":
            os.chmod(target, entry.mode)
        for key, value in entry.xattrs.items():
            if (
                key.startswith(_KEPT_XATTRS)
                and not key.startswith("user.overlay.")
                and entry.kind != "symlink"
            ):
                try:
                    os.setxattr(target, key, value, follow_symlinks=False)
                except OSError as error:
                    if error.errno not in (errno.EOPNOTSUPP, errno.EPERM):
                        raise
        if entry.kind == "dir":
            self._folder_times[target] = entry.mtime_ns  # set last: filling a folder changes it
        else:
            os.utime(target, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)

    def _make_room(self, entry: Entry, target: str) -> bool:
        """Remove what an earlier entry left at ``target``; true when the folder to come must hide lower
        layers.
        """
        try:
            there = os.lstat(target)
        except FileNotFoundError:
            return False
        if stat.S_ISDIR(there.st_mode):
            if entry.kind == "dir":
                return False
            self._forget()
            remove_tree(target)
            return False
        if stat.S_ISLNK(there.st_mode):
            self._forget()
        os.unlink(target)
        if target in self._whiteouts:
            self._whiteouts.discard(target)
            return entry.kind == "dir"
        return False

    def _whiteout(self, folder: str, base: str) -> None:
        if base == OPAQUE_MARKER:
            os.setxattr(folder, self._policy.opaque_xattr, b"y")
            return
        if base.startswith(WHITEOUT_META_PREFIX):
            return  # bookkeeping of a storage driver long gone
        hidden = base.removeprefix(WHITEOUT_PREFIX)
        if hidden in ("", ".", ".."):
            raise BadArchive("a whiteout that names no file")
        target = f"{folder}/{hidden}"
        try:
            there = os.lstat(target)
        except FileNotFoundError:
            os.mknod(target, stat.S_IFCHR, 0)
            self._whiteouts.add(target)
            return
        if stat.S_ISDIR(there.st_mode):  # in this layer too: whiteouts only hide lower ones
            os.setxattr(target, self._policy.opaque_xattr, b"y")

    def _wanted_device(self, entry: Entry) -> bool:
        return self._privileged and entry.kind == "char" and (entry.major, entry.minor) in HARMLESS_DEVICES

    def _linked(self, linkname: str) -> str:
        name = _inside(linkname)
        parent, base = posixpath.split(name)
        if not base:
            raise BadArchive(f'a hard link to "{_shown(linkname)}"')
        source = f"{self._folder(parent, create=False)}/{base}"
        try:
            if not stat.S_ISDIR(os.lstat(source).st_mode) and source not in self._whiteouts:
                return source
        except FileNotFoundError:
            pass
        raise BadArchive(f'a hard link to "{_shown(linkname)}", which is no file of this archive')

    def _forget(self) -> None:
        self._parents.clear()
        self._folder_times = {path: time for path, time in self._folder_times.items() if _is_dir(path)}

    def _folder(self, name: str, *, create: bool = True) -> str:
        """The real folder that ``name`` means inside the root; made where missing, links followed inside."""
        known = self._parents.get(name)
        if known is not None:
            return known
        at = self._root
        pending = name.split("/")[::-1] if name else []
        links = 0
        while pending:
            part = pending.pop()
            if part in ("", "."):
                continue
            if part == "..":
                at = at if at == self._root else posixpath.dirname(at)
                continue
            there = f"{at}/{part}"
            try:
                mode = os.lstat(there).st_mode
            except FileNotFoundError:
                if not create:
                    raise BadArchive("a hard link into a folder that is not in this archive") from None
                os.mkdir(there, 0o755)
                at = there
                continue
            if stat.S_ISLNK(mode):
                links += 1
                if links > _MAX_LINKS:
                    raise BadArchive("too many symbolic links")
                link = os.readlink(there)
                if link.startswith("/"):
                    at = self._root
                pending += link.split("/")[::-1]
            elif stat.S_ISDIR(mode):
                at = there
            elif there in self._whiteouts:
                os.unlink(there)
                self._whiteouts.discard(there)
                os.mkdir(there, 0o755)
                os.setxattr(there, self._policy.opaque_xattr, b"y")
                at = there
            else:
                raise BadArchive("one of its parents is a file")
        if at.count("/") - self._root.count("/") > _MAX_DEPTH:
            raise BadArchive("folders nested too deeply")
        self._parents[name] = at
        return at


def _inside(name: str) -> str:
    """The name relative to the root, without ``.`` and ``..``; refused when it climbs out."""
    if "/../" not in f"/{name}/" and "//" not in name and "/./" not in f"/{name}/":
        return name.strip("/")
    clean = posixpath.normpath(name.lstrip("/"))
    if clean == ".." or clean.startswith("../"):
        raise BadArchive("leads out of the archive's root")
    return "" if clean == "." else clean


def _is_dir(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _shown(name: str) -> str:
    return name[:200].encode(errors="surrogateescape").decode(errors="replace")


def remove_tree(path: str | Path) -> None:
    """Remove a file or a folder with everything in it; nothing happens when it is not there."""
    import shutil
    import subprocess

    try:
        if _is_dir(os.fspath(path)):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        return
    except (RecursionError, OSError) as error:
        # Folders nested deeper than a path can say: a container can make them, and rm(1) can walk them.
        if isinstance(error, OSError) and error.errno != errno.ENAMETOOLONG:
            raise
        subprocess.run(["rm", "-rf", "--", os.fspath(path)], check=True)
