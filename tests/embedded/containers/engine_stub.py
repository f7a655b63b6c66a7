"""An engine as far as the runtime knows one: starts the containers it is told to, then waits to be killed.

`python engine_stub.py SPEC_FILE...`; prints "started" once all run.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from stackwright.embedded.containers.runtime import Runtime
from stackwright.embedded.containers.spec import container_spec


async def main(files: list[str]) -> None:
    runtime = Runtime()
    for file in files:
        await runtime.start(container_spec(Path(file).read_bytes()))
    print("started", flush=True)
    await asyncio.sleep(3600)


asyncio.run(main(sys.argv[1:]))
