"""A builder over a fresh store with a busybox base image; RUN steps in a plain chroot over a real overlay
mount.
"""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from stackwright.embedded.builder.errors import BuildFailed
from stackwright.embedded.builder.service import Builder, BuildOptions, StepSpec
from stackwright.embedded.images.service import ImageService
from stackwright.embedded.images.view import LayerView
from stackwright.embedded.state import Database

BUSYBOX = shutil.which("busybox")
APPLETS = (
    "sh",
    "cat",
    "echo",
    "ls",
    "rm",
    "mkdir",
    "id",
    "touch",
    "sleep",
    "env",
    "stat",
    "ln",
    "mv",
    "chmod",
)


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1 << 16):
        yield data[start : start + (1 << 16)]


def tar_of(files: dict[str, str | bytes | tarfile.TarInfo]) -> bytes:
    """An archive of files (content), folders (names ending in a slash) and ready-made entries."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                archive.addfile(content)
                continue
            info = tarfile.TarInfo(name.rstrip("/"))
            info.mtime = 1_700_000_000
            if name.endswith("/"):
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(info)
                continue
            data = content.encode() if isinstance(content, str) else content
            info.size, info.mode, info.uid = len(data), 0o640, 1234
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def link(target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


def base_archive() -> bytes:
    files: dict[str, Any] = {f"bin/{name}": link("busybox") for name in APPLETS}
    files |= {
        "etc/passwd": "root:x:0:0::/:/bin/sh\napp:x:100:101::/home/app:/bin/sh\n",
        "etc/group": "root:x:0:\napp:x:101:\nstaff:x:50:\n",
        "usr/lib/": "",
        "lib": link("usr/lib"),
        "tmp/": "",
    }
    data = tar_of(files)
    buffer = io.BytesIO(data)
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        assert BUSYBOX, "the busybox-static package is needed"
        archive.add(BUSYBOX, "bin/busybox")
    return buffer.getvalue()


class ChrootStep:
    """RUN without a container engine: overlay, bind mounts and chroot, all undone afterwards."""

    def __init__(self, folder: Path) -> None:
        self.merged = folder
        self.steps: list[StepSpec] = []
        self.running = 0
        self.most_running = 0

    async def __call__(self, step: StepSpec, output: Callable[[bytes], None]) -> int:
        self.steps.append(step)
        merged = self.merged / step.id[:8]
        merged.mkdir(parents=True)
        lower = ":".join(map(str, step.lower))
        options = f"lowerdir={lower},upperdir={step.upper},workdir={step.work},index=off"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(merged)], check=True)
        mounted = [merged]
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            for mount in step.mounts:
                target = merged / mount.target.lstrip("/")
                if mount.kind == "tmpfs":
                    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(target)], check=True)
                else:
                    subprocess.run(["mount", "--bind", str(mount.source), str(target)], check=True)
                    if mount.readonly:
                        subprocess.run(["mount", "-o", "remount,bind,ro", str(target)], check=True)
                mounted.append(target)
            return await self._execute(step, merged, output)
        finally:
            self.running -= 1
            for target in reversed(mounted):
                subprocess.run(["umount", str(target)], check=True)
            merged.rmdir()

    async def _execute(self, step: StepSpec, merged: Path, output: Callable[[bytes], None]) -> int:
        def enter() -> None:
            os.chroot(merged)
            os.chdir(step.cwd)
            if step.user:
                os.setgid(101)
                os.setuid(100)

        process = await asyncio.create_subprocess_exec(
            *step.args,
            env=dict(item.split("=", 1) for item in step.env),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            preexec_fn=enter,
        )
        assert process.stdout
        try:
            while data := await process.stdout.read(4096):
                output(data)
            return await process.wait()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise


class Kit:
    """Builder, store and shorthand for tests."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images = ImageService(Database(root / "engine.db"), root / "images")
        self.run = ChrootStep(root / "merged")
        self.builder = Builder(self.images, self.run, root / "builder")
        self.messages: list[dict[str, Any]] = []

    async def start(self) -> None:
        await self.images.start()
        await self.builder.start()
        await self.images.import_(chunks(base_archive()), "base", changes=['CMD ["sh"]'])

    async def build(self, text: str | bytes, files: dict[str, Any] | None = None, **options: Any) -> str:
        """Build with these files beside the Dockerfile; messages are in ``messages``."""
        self.messages.clear()
        context = tar_of({"Dockerfile": text, **(files or {})})
        return await self.builder.build(chunks(context), BuildOptions(**options), self.messages.append)

    async def fails(
        self, text: str | bytes, files: dict[str, Any] | None = None, **options: Any
    ) -> dict[str, Any]:
        """The ``errorDetail`` of a build that fails."""
        with pytest.raises(BuildFailed):
            await self.build(text, files, **options)
        detail = self.messages[-1]["errorDetail"]
        assert self.messages[-1]["error"] == detail["message"]
        return detail

    @property
    def text(self) -> str:
        return "".join(message.get("stream", "") for message in self.messages)

    def view(self, image: str) -> LayerView:
        return LayerView(self.images.lower_dirs(image))

    def read(self, image: str, path: str) -> str:
        node = self.view(image).lookup(path)
        assert node is not None, f"{path} is not there"
        return Path(node.host).read_text()

    def config(self, image: str) -> dict[str, Any]:
        return self.images.get(image).run_config

    def leftovers(self) -> list[Path]:
        return [*(self.root / "builder" / "work").iterdir(), *(self.root / "images" / "work").iterdir()]


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    kit = Kit(tmp_path)
    await kit.start()
    yield kit
    await kit.images.close()
    assert list((tmp_path / "images" / "trash").iterdir()) == []
    kit.images.database.close()
