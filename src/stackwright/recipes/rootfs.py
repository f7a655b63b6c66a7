"""A base system made on the host: mmdebstrap, or debootstrap where only that is there.

The result is a tar of a small Debian with apt, like the official slim images: no documentation,
no translations, no package lists, no services started by package scripts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

from . import sources
from .errors import RecipeBuildFailed, ToolMissing

Say = Callable[[str], None]

PACKAGES = ("adduser", "login", "mount", "passwd", "tzdata", "usr-is-merged")
# Lays out /bin -> /usr/bin from the start; the package that would do so later brings all of Perl along.
_MERGED_USR = Path("/usr/share/mmdebstrap/hooks/maybe-merged-usr")
_UNWANTED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*",
             "/usr/share/lintian/*", "/usr/share/linda/*", "/usr/share/groff/*")  # fmt: skip
_WANTED = ("/usr/share/doc/*/copyright", "/usr/share/locale/locale.alias")
# The same settings as the official images have, for the same reasons.
_FILES: dict[str, tuple[int, str]] = {
    "usr/sbin/policy-rc.d": (0o755, "#!/bin/sh\n# No service starts because its package was installed.\nexit 101\n"),
    "etc/dpkg/dpkg.cfg.d/force-unsafe-io": (0o644, "force-unsafe-io\n"),
    "etc/apt/apt.conf.d/image": (
        0o644,
        'Acquire::Languages "none";\n'
        'Acquire::GzipIndexes "true";\n'
        'Apt::AutoRemove::SuggestsImportant "false";\n'
        'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'
        'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };\n'
        # apt gives up root for downloads; in a user namespace with one id it could not.
        'APT::Sandbox::User "root";\n',
    ),
}  # fmt: skip


async def make(args: Mapping[str, str], target: Path, say: Say) -> None:
    """Write the tar of the base system that `args` (`SUITE`, `EXTRA` packages) ask for to `target`.

    `say` gets a line now and then. Raises `ToolMissing` or `RecipeBuildFailed`.
    """
    suite = args["SUITE"]
    lines = [source.line() for source in sources.for_suite(suite)]
    options = sources.carried_options()
    packages = [*PACKAGES, *args.get("EXTRA", "").split()]
    work = target.parent
    overlay = work / "overlay"
    _write_files(overlay, options)
    if shutil.which("mmdebstrap"):
        await _mmdebstrap(suite, lines, options, packages, overlay, target, say)
    elif shutil.which("debootstrap"):
        await _debootstrap(suite, lines, packages, work / "root", overlay, target, say)
    else:
        raise ToolMissing(
            "Making images from Debian packages needs 'mmdebstrap' (or 'debootstrap').",
            hint="Install it (`apt-get install mmdebstrap`), or make an image registry reachable.",
        )


async def _mmdebstrap(
    suite: str, lines: Sequence[str], options: Sequence[str], packages: Sequence[str],
    overlay: Path, target: Path, say: Say,
) -> None:  # fmt: skip
    excluded = [f"--dpkgopt=path-exclude={path}" for path in _UNWANTED]
    excluded += [f"--dpkgopt=path-include={path}" for path in _WANTED]
    command = [
        "mmdebstrap",
        "--variant=apt",
        "--format=tar",
        f"--include={','.join(packages)}",
        *([f"--hook-dir={_MERGED_USR}"] if _MERGED_USR.is_dir() else []),
        *excluded,
        *(f"--aptopt={option}" for option in options),
        '--aptopt=APT::Sandbox::User "root"',
        "--aptopt=APT::Install-Recommends false",
        '--aptopt=Dir::Cache::pkgcache ""',
        '--aptopt=Dir::Cache::srcpkgcache ""',
        # Device nodes are the container's business, and an ordinary user could not unpack them.
        "--skip=output/dev",
        # Its own policy-rc.d would be taken away at the end, and ours with it.
        "--skip=chroot/policy-rc.d",
        f'--essential-hook=tar -C "{overlay}" --owner=0 --group=0 -c . | tar -C "$1" -x --no-overwrite-dir',
        '--customize-hook=rm -f "$1/etc/hostname" "$1/etc/resolv.conf" "$1/etc/machine-id"',
        # Our options were for this run; what is to stay lies in files of its own.
        '--customize-hook=: > "$1/etc/apt/apt.conf.d/99mmdebstrap"',
        suite,
        str(target),
        "-",
    ]
    await _run(command, say, stdin="\n".join(lines) + "\n")


async def _debootstrap(
    suite: str, lines: Sequence[str], packages: Sequence[str],
    root: Path, overlay: Path, target: Path, say: Say,
) -> None:  # fmt: skip
    if os.geteuid() != 0:
        raise ToolMissing(
            "debootstrap works as root only.",
            hint="Install mmdebstrap, which works for ordinary users too.",
        )
    mirror = lines[0].rpartition("] ")[2].removeprefix("deb ").split()[0]
    # "apt" is priority important, so not in minbase; its archive keys come with it.
    command = [
        "debootstrap",
        "--variant=minbase",
        f"--include={','.join(packages)}",
        suite,
        str(root),
        mirror,
    ]
    await _run(command, say)
    (root / "etc/apt/sources.list").write_text("\n".join(lines) + "\n", encoding="utf-8")
    filters = [f"path-exclude={path}" for path in _UNWANTED] + [f"path-include={path}" for path in _WANTED]
    (overlay / "etc/dpkg/dpkg.cfg.d/slim").write_text("\n".join(filters) + "\n", encoding="utf-8")
    shutil.copytree(overlay, root, dirs_exist_ok=True)
    for name in ("usr/share/doc", "usr/share/man", "usr/share/info", "var/lib/apt/lists",
                 "var/cache/apt", "dev", "proc", "sys"):  # fmt: skip
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("etc/hostname", "etc/resolv.conf", "etc/machine-id"):
        (root / name).unlink(missing_ok=True)
    await _run(["tar", "-C", str(root), "--numeric-owner", "-cf", str(target), "."], say)


def _write_files(overlay: Path, options: Sequence[str]) -> None:
    for name, (mode, text) in _FILES.items():
        path = overlay / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
    for folder in (overlay, *overlay.rglob("*")):
        if folder.is_dir():
            folder.chmod(0o755)
    if options:
        host = overlay / "etc/apt/apt.conf.d/host"
        host.write_text("".join(f"{option};\n" for option in options), encoding="utf-8")
        host.chmod(0o644)


async def _run(command: Sequence[str], say: Say, stdin: str | None = None) -> None:
    """Run a program, passing on what it says; it and its children end with us."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
    )
    tail: list[str] = []
    try:
        if stdin is not None and process.stdin is not None:
            process.stdin.write(stdin.encode())
            process.stdin.close()
        assert process.stdout is not None
        async for line in _lines(process.stdout):
            tail = [*tail[-29:], line]
            say(line)
        code = await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), 20)  # mmdebstrap undoes its mounts on SIGTERM
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    if code != 0:
        errors = [line for line in tail if line.startswith(("E:", "Err:", "W:"))] or tail[-3:]
        raise RecipeBuildFailed(
            f"{command[0]} ended with {code}: {'; '.join(errors[:3]) or 'no output'}", output=tuple(tail)
        )


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[str]:
    """Lines of any length, where a carriage return (a progress bar) ends a line too."""
    rest = ""
    while data := await reader.read(1 << 14):
        *whole, rest = (rest + data.decode(errors="replace")).replace("\r", "\n").split("\n")
        for line in whole:
            if line.strip():
                yield line.strip()
    if rest.strip():
        yield rest.strip()
