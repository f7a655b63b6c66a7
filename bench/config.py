"""`stackwright config -q` beside `docker compose config -q`: whole processes, in turns, medians.

    .venv/bin/python bench/config.py [--profile]

Needs the real tool (scripts/get-compose-peer). Prints a table and fails when a promise of issue "The Compose model,
complete" does not hold: at most as long for one service and the reference stacks, 0.7 of it for 200 full
services, 0.4 for 1,000; growing no faster than the file; peak memory at most the real tool's.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
PROMISES = {"1 service": 1.0, "200 services": 0.7, "1000 services": 0.4}


def service(number: int) -> str:
    """A full service, as large projects have them."""
    before = (
        f"    depends_on:\n      svc{number - 1}:\n        condition: service_healthy\n" if number else ""
    )
    return f"""  svc{number}:
    image: registry.example.com/team/app-{number}:${{TAG:-1.{number}}}
    build:
      context: ./svc{number}
      args:
        VERSION: "{number}"
      target: runtime
    command: ["serve", "--port", "80", "--name", "svc{number}"]
    environment:
      DATABASE_URL: postgres://user:${{DB_PASSWORD:-secret}}@db:5432/app{number}
      LOG_LEVEL: info
      WORKERS: 4
    labels:
      com.example.team: team-{number % 7}
      traefik.http.routers.svc{number}.rule: Host(`svc{number}.example.com`)
    ports:
      - "{10000 + number}:80"
      - target: 443
        published: "{20000 + number}"
    volumes:
      - data{number}:/data
      - ./config/svc{number}:/etc/app:ro
      - type: tmpfs
        target: /tmp
        tmpfs:
          size: 64m
    networks:
      front:
        aliases: [web{number}]
      back: {{}}
    healthcheck:
      test: ["CMD-SHELL", "curl -f http://localhost:80/health || exit 1"]
      interval: 10s
      timeout: 5s
      retries: 3
    deploy:
      replicas: 2
      resources:
        limits:
          cpus: "0.50"
          memory: 256M
    logging:
      driver: json-file
      options:
        max-size: 10m
    restart: unless-stopped
    ulimits:
      nofile:
        soft: 1024
        hard: 4096
{before}"""


def project(count: int) -> str:
    services = "".join(service(number) for number in range(count))
    volumes = "".join(f"  data{number}: {{}}\n" for number in range(count))
    return f"name: bench\nservices:\n{services}networks:\n  front: {{}}\n  back:\n    internal: true\nvolumes:\n{volumes}"


def run(command: list[str], folder: Path) -> tuple[float, int]:
    """Seconds and peak memory (KiB) of one process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.stderr is not None
    said = process.stderr.read().decode()
    process.stderr.close()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{said}")
    return seconds, resource.struct_rusage(usage).ru_maxrss


def measure(name: str, folder: Path, file: str, peer: str, rounds: int) -> tuple[str, float, float, int, int]:
    """Both tools in turns; medians of seconds, and peak memory."""
    ours = [str(Path(sys.executable).with_name("stackwright")), "-f", file, "config", "-q"]
    theirs = [peer, "-f", file, "config", "-q"]
    run(ours, folder), run(theirs, folder)
    mine, their = [], []
    for _ in range(rounds):
        mine.append(run(ours, folder))
        their.append(run(theirs, folder))
    seconds = [median(value for value, _ in taken) for taken in (mine, their)]
    memory = [max(value for _, value in taken) for taken in (mine, their)]
    return name, seconds[0], seconds[1], memory[0], memory[1]


def profile(file: Path) -> None:
    """Where the time of the largest file goes."""
    import cProfile
    import pstats

    from stackwright.model.load import Request, read_model

    profiler = cProfile.Profile()
    profiler.enable()
    read_model(Request([file]))
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(15)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", action="store_true", help="show a profile of what is left")
    chosen = parser.parse_args()
    peer = subprocess.run(
        [ROOT / "scripts" / "get-compose-peer"], capture_output=True, text=True, check=True
    ).stdout.strip()
    subprocess.run([sys.executable, "-m", "compileall", "-q", ROOT / "src"], check=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = []
        for count, rounds in ((1, 21), (200, 5), (500, 3), (1000, 3)):
            (folder / f"{count}.yaml").write_text(project(count))
            label = f"{count} service{'s' if count > 1 else ''}"
            rows.append(measure(label, folder, f"{count}.yaml", peer, rounds))
        for stack in sorted((ROOT / "stacks").glob("*/compose.yaml")):
            for needed in stack.parent.glob(".env.example"):
                os.environ.update(
                    line.split("=", 1)
                    for line in needed.read_text().splitlines()
                    if "=" in line and line[0] != "#"
                )
            rows.append(measure(f"stack {stack.parent.name}", stack.parent, stack.name, peer, 11))
        if chosen.profile:
            profile(folder / "1000.yaml")
    print(f"{'':16} {'ours':>8} {'theirs':>8} {'ratio':>6} {'ours':>9} {'theirs':>9}")
    late = []
    for label, mine, theirs, memory, their_memory in rows:
        print(
            f"{label:16} {mine:7.3f}s {theirs:7.3f}s {mine / theirs:6.2f} {memory // 1024:6} MB {their_memory // 1024:6} MB"
        )
        if mine / theirs > PROMISES.get(label, 1.0):
            late.append(label)
    by_name = {row[0]: row for row in rows}
    growth = by_name["1000 services"][1] / by_name["200 services"][1]
    print(f"five times the services take {growth:.1f} times as long")
    if by_name["1000 services"][3] > by_name["1000 services"][4]:
        late.append("memory at 1000 services")
    if late:
        print("promises not kept: " + ", ".join(late))
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
