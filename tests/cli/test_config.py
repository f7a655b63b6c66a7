"""`stackwright config` from the outside: its views, its flags, what it imports."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests.model.support import HOME, run, write

TEXT = """name: shop
services:
  web:
    image: nginx:${TAG:-1}
    networks: [front]
    volumes: ["data:/data"]
    depends_on: [api]
  api:
    build: ./api
    environment: {KEY: "${KEY?}", SHADE: "${SHADE:+dark}"}
  debug:
    image: busybox
    profiles: [dev]
networks: {front: }
volumes: {data: , spare: }
"""
ENVIRONMENT = {**HOME, "KEY": "k"}


def config(folder: Path, *words: str, code: int = 0) -> str:
    write(folder, {"compose.yaml": TEXT})
    done = run([sys.executable, "-m", "stackwright.cli.main", *words], folder, ENVIRONMENT)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.mark.parametrize(
    ("flag", "lines"),
    [
        ("--services", ["api", "web"]),
        ("--images", ["shop-api", "nginx:1"]),
        ("--networks", ["default", "front"]),
        ("--volumes", ["data"]),
        ("--profiles", ["dev"]),
        ("--models", []),
    ],
)
def test_views_print_one_name_a_line(tmp_path: Path, flag: str, lines: list[str]) -> None:
    assert config(tmp_path, "config", flag).splitlines() == lines


def test_variables_are_listed_with_their_defaults(tmp_path: Path) -> None:
    rows = [line.split() for line in config(tmp_path, "config", "--variables").splitlines()]
    assert rows[0] == ["NAME", "REQUIRED", "DEFAULT", "VALUE", "ALTERNATE", "VALUE"]
    assert rows[1:] == [["KEY", "true"], ["SHADE", "false", "dark"], ["TAG", "false", "1"]]


def test_environment_is_what_interpolation_sees(tmp_path: Path) -> None:
    lines = config(tmp_path, "config", "--environment").splitlines()
    assert "KEY=k" in lines
    assert "COMPOSE_PROJECT_NAME=shop" in lines
    assert not [line for line in lines if line.startswith("LC_CTYPE=")]


def test_a_service_by_name_brings_what_it_depends_on(tmp_path: Path) -> None:
    assert list(json.loads(config(tmp_path, "config", "--format", "json", "api"))["services"]) == ["api"]
    assert list(json.loads(config(tmp_path, "config", "--format=json", "web"))["services"]) == ["api", "web"]


def test_a_service_by_name_activates_its_profiles(tmp_path: Path) -> None:
    assert list(json.loads(config(tmp_path, "config", "--format", "json", "debug"))["services"]) == ["debug"]


def test_a_service_that_is_not_there_is_told(tmp_path: Path) -> None:
    said = config(tmp_path, "config", "wbe", code=1)
    assert "no such service: wbe" in said
    assert 'did you mean "web"?' in said


def test_quiet_prints_nothing(tmp_path: Path) -> None:
    assert config(tmp_path, "config", "-q") == ""


def test_output_goes_to_a_file(tmp_path: Path) -> None:
    assert config(tmp_path, "config", "-o", "out.yaml") == ""
    assert (tmp_path / "out.yaml").read_text().startswith("name: shop\n")


def test_unused_resources_are_kept_on_request(tmp_path: Path) -> None:
    assert config(tmp_path, "--all-resources", "config", "--volumes").split() == ["data", "spare"]


def test_digests_need_an_engine_and_say_so(tmp_path: Path) -> None:
    said = config(tmp_path, "--engine", "docker", "config", "--lock-image-digests", code=1)
    assert "Traceback" not in said
    assert "no engine answers" in said


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": TEXT})
    command = f"{sys.executable} -m stackwright.cli.main config | true"
    done = run(["bash", "-o", "pipefail", "-c", command], tmp_path, ENVIRONMENT)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan"])
def test_a_number_that_json_does_not_have_is_told(tmp_path: Path, number: str) -> None:
    write(tmp_path, {"compose.yaml": f"x-limit: {number}\nservices: {{a: {{image: x}}}}\n"})
    command = [sys.executable, "-m", "stackwright.cli.main", "config"]
    assert f"x-limit: {number.lstrip('-')}" in run(command, tmp_path, HOME).stdout.replace("-.", ".")
    done = run([*command, "--format", "json"], tmp_path, HOME)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"JSON has no {number}" in done.stderr


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    assert "yaml or json" in config(tmp_path, "config", "--format", "xml", code=1)


def test_an_unknown_flag_is_refused_by_name(tmp_path: Path) -> None:
    assert "--bogus" in config(tmp_path, "config", "--bogus", code=1)


def test_help_names_every_flag(tmp_path: Path) -> None:
    text = config(tmp_path, "config", "--help")
    for flag in ("--origins", "--no-interpolate", "--lock-image-digests", "--quiet", "--hash"):
        assert flag in text


def test_schema_prints_a_json_schema(tmp_path: Path) -> None:
    schema = json.loads(config(tmp_path, "schema"))
    assert "services" in schema["properties"]
    assert "service" in schema["$defs"]


def test_standard_input_is_a_file(tmp_path: Path) -> None:
    import subprocess

    command = [sys.executable, "-m", "stackwright.cli.main", "-f", "-", "-p", "x", "config", "--services"]
    done = subprocess.run(
        command, cwd=tmp_path, input="services: {a: {image: x}}\n", capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "a\n")


HEAVY = {
    "re",
    "typing",
    "json",
    "dataclasses",
    "click",
    "msgspec",
    "asyncio",
    "aiohttp",
    "rich",
    "pathlib",
    "enum",
    "logging",
}


def test_config_imports_nothing_heavy(tmp_path: Path) -> None:
    write(tmp_path, {"compose.yaml": TEXT})
    code = (
        "import sys; before = set(sys.modules)\n"
        "from stackwright.cli.main import run\n"
        "assert run(['config', '-q']) == 0\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = run([sys.executable, "-I", "-c", code], tmp_path, ENVIRONMENT)
    imported = set(done.stdout.split())
    assert imported, done.stderr
    assert not imported & HEAVY
    ours = {name for name in imported if name.startswith("stackwright.")}
    assert all(name.startswith(("stackwright.model", "stackwright.cli")) for name in ours)
    assert len(ours) < 60


def test_output_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {web: {image: nginx}}")
    command = f"{sys.executable} -m stackwright.cli.main config > /dev/full"
    done = run(["bash", "-c", command], tmp_path, ENVIRONMENT)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
