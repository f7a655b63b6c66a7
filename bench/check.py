"""How long a check takes: five environments of fifty services, and one keystroke in an editor.

    python bench/check.py [--json]

Wanted: at most 1 s for the first (the whole process), 50 ms for the second. Times are the best of several runs;
the processor time is given beside them, because a busy machine stretches the other.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ENVIRONMENTS = ("dev", "test", "staging", "perf")
SERVICE = """  s{n}:
    image: example/service{n}:1.4
    restart: unless-stopped
    environment:
      PORT: "8080"
      NEXT_URL: http://s{next}:8080
      LOG_LEVEL: ${{LOG_LEVEL:-info}}
    ports:
      - "127.0.0.1:{port}:8080"
    volumes:
      - data{n}:/srv/data
    networks: [front]
    depends_on:
      s{first}:
        condition: service_healthy
    healthcheck:
      test: ["CMD", "service", "check"]
      interval: 5s
    deploy:
      resources:
        limits:
          memory: 128M
"""


def project(folder: Path, services: int) -> Path:
    """Write a project with a base file and four environments; returns the base file."""
    rows = ["services:\n"]
    for n in range(services):
        text = SERVICE.format(n=n, next=(n + 1) % services, port=20000 + n, first=0)
        rows.append(
            text
            if n
            else text.replace(text[text.index("    depends_on") : text.index("    healthcheck")], "")
        )
    rows.append("networks:\n  front:\nvolumes:\n" + "".join(f"  data{n}:\n" for n in range(services)))
    base = folder / "compose.yaml"
    base.write_text("".join(rows))
    for name in ENVIRONMENTS:
        overlay = "".join(f"  s{n}:\n    environment:\n      MODE: {name}\n" for n in range(services))
        (folder / f"compose.{name}.yaml").write_text(f"services:\n{overlay}")
    return base


def best(run: Callable[[], object], times: int) -> tuple[float, float]:
    """The shortest wall clock and processor time of some runs, in milliseconds."""
    wall, cpu = [], []
    for _ in range(times):
        begun, used = time.perf_counter(), time.process_time()
        run()
        wall.append((time.perf_counter() - begun) * 1e3)
        cpu.append((time.process_time() - used) * 1e3)
    return min(wall), min(cpu)


def main(words: list[str]) -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        base = project(folder, 50)
        command = [
            sys.executable,
            "-m",
            "stackwright.cli.main",
            "check",
            "--format",
            "json",
            "--fail-on",
            "never",
        ]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        whole, _ = best(lambda: subprocess.run(command, cwd=folder, check=True, capture_output=True), 5)
        keystroke, keystroke_cpu = best(_typist(folder, base), 20)
    figures = {
        "five environments of 50 services, whole process (ms)": whole,
        "a keystroke, 50 services (ms)": keystroke,
        "the same, processor time (ms)": keystroke_cpu,
    }
    if "--json" in words:
        print(json.dumps({name: round(value, 1) for name, value in figures.items()}))
    else:
        for name, value in figures.items():
            print(f"{name:56}{value:8.1f}")
    return 0


def _typist(folder: Path, base: Path) -> Callable[[], object]:
    """A function that types one more character into a project of one environment and looks at the findings."""
    from stackwright.lsp.workbench import Workbench

    alone = folder / "alone"
    alone.mkdir()
    path = alone / "compose.yaml"
    path.write_bytes(base.read_bytes())
    bench = Workbench()
    typed = [base.read_bytes()]

    def type_one() -> object:
        typed[0] = typed[0] + b"#"
        bench.texts[str(path)] = typed[0]
        return bench.check(str(path))

    type_one()
    return type_one


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
