"""`stackwright check` from the outside: environments, output formats, suppressions, exit codes, mends."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stackwright.cli.group import group

BASE = """version: '3.9'   # kept for the old tool

services:
  # The front.
  web:
    image: example/web:latest
    environment:
      - GREETING="hello"   # said first
    ports:
      - 2222:22
  db:
    image: postgres:17-alpine
    ports: ["5432:5432"]
    volumes: ["data:/var/lib/postgresql/data"]
volumes:
  data:
"""
PROD = "services:\n  db:\n    ports: !reset []\n  web:\n    environment:\n      NODE_ENV: development\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "compose.yaml").write_text(BASE)
    (tmp_path / "compose.prod.yaml").write_text(PROD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    result = CliRunner().invoke(group, list(words), standalone_mode=False)
    assert result.exception is None or hasattr(result.exception, "problems"), result.exception
    return result


def found(*words: str) -> dict[str, list[str]]:
    """Environments by code of the first finding of each."""
    data = json.loads(run(*words, "--format", "json").stdout)
    return {finding["code"]: finding["environments"] for finding in data["findings"]}


def test_all_environments_are_checked_and_each_finding_named_once(project: Path) -> None:
    codes = found("check")
    assert codes["SW702"] == ["default", "prod"]
    assert codes["SW306"] == ["default"]
    assert codes["SW609"] == ["prod"]


def test_an_unset_variable_is_an_error_in_production_where_an_env_file_is(project: Path) -> None:
    (project / "compose.prod.yaml").write_text(
        "services:\n  web:\n    environment:\n      HOST: ${HOST_NAME}\n"
    )

    def severity() -> str:
        findings = json.loads(run("-E", "prod", "check", "--format", "json").stdout)["findings"]
        return next(finding["severity"] for finding in findings if finding["code"] == "SW1001")

    assert severity() == "warning"
    (project / ".env").write_text("OTHER=1\n")
    assert severity() == "error"


def test_an_image_with_an_empty_part_is_a_warning_where_no_env_file_is_known(project: Path) -> None:
    (project / "compose.prod.yaml").write_text("services:\n  web:\n    image: example/web:${TAG}\n")

    def severity() -> str:
        findings = json.loads(run("-E", "prod", "check", "--format", "json").stdout)["findings"]
        return next(finding["severity"] for finding in findings if finding["code"] == "SW108")

    assert severity() == "warning"
    (project / ".env").write_text("OTHER=1\n")
    assert severity() == "error"


def test_an_environment_is_chosen_by_name_or_beginning(project: Path) -> None:
    for name in ("prod", "production"):
        assert "SW306" not in found("-E", name, "check")
        assert "SW609" in found("-E", name, "check")


def test_an_unknown_environment_names_those_there_are(project: Path) -> None:
    assert "there is: default, prod" in str(run("-E", "qa", "check").exception)


def test_other_commands_take_an_environment_too(project: Path) -> None:
    result = run("-E", "prod", "config", "--format", "json")
    assert json.loads(result.stdout)["services"]["web"]["environment"]["NODE_ENV"] == "development"
    assert "ports" not in json.loads(result.stdout)["services"]["db"]


def test_files_named_by_a_flag_win_over_an_environment_and_that_is_said(project: Path) -> None:
    result = run("-E", "prod", "-f", "compose.yaml", "config", "--services")
    assert result.stdout.split() == ["db", "web"]
    assert "those of -E prod are not read" in result.stderr


def test_text_shows_place_excerpt_mend_and_environments(project: Path) -> None:
    text = run("check").stdout
    assert "compose.yaml:13:13: warning: " in text
    assert '   13 |     ports: ["5432:5432"]\n' in text
    assert "|             ^^^^^^^^^^^" in text
    assert "  mend: " in text
    assert "  in: prod" in text


def test_fail_on_decides_the_exit_code(project: Path) -> None:
    assert run("-E", "default", "check").return_value == 0
    assert run("-E", "default", "check", "--fail-on", "warning").return_value == 1
    (project / "compose.yaml").write_text(BASE.replace("data:/var", "dota:/var"))
    assert run("check").return_value == 1
    assert run("check", "--fail-on", "never").return_value == 0


def test_sarif_names_rules_places_and_levels(project: Path) -> None:
    data = json.loads(run("check", "--format", "sarif").stdout)
    (one,) = data["runs"]
    result = next(item for item in one["results"] if item["ruleId"] == "SW306")
    assert result["level"] == "warning"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "compose.yaml"
    assert place["region"] == {"startLine": 13, "startColumn": 13}
    assert one["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "SW306"


def test_github_annotations_are_one_line_each(project: Path) -> None:
    lines = run("check", "--format", "github").stdout.splitlines()
    assert any(line.startswith("::warning file=compose.yaml,line=13,col=13,title=SW306::") for line in lines)
    assert all(line.startswith("::") for line in lines)


def test_junit_counts_failures(project: Path) -> None:
    root = ElementTree.fromstring(run("check", "--format", "junit").stdout)
    suite = root.find("testsuite")
    assert suite is not None
    assert int(suite.get("failures", 0)) == len(root.findall(".//failure")) > 0
    assert int(suite.get("tests", 0)) == len(root.findall(".//testcase"))


def test_suppressions_work_on_the_line_above_it_and_in_the_settings(project: Path) -> None:
    text = BASE.replace("latest", "latest  # stackwright: ignore SW702 because it is a demo")
    text = text.replace(
        "    ports: [", "    # stackwright: ignore SW306, SW999x because of the workshop\n    ports: ["
    )
    (project / "compose.yaml").write_text(text)
    (project / "stackwright.toml").write_text(
        '[[check.ignore]]\nrule = "SW1301"\nbecause = "the old tool wants it"\n'
    )
    codes = found("check")
    assert "SW702" not in codes
    assert "SW1301" not in codes
    assert "SW306" not in codes


def test_settings_change_severities_and_switch_rules_off(project: Path) -> None:
    (project / "stackwright.toml").write_text(
        '[check]\nfail-on = "warning"\n[check.severity]\nSW702 = "error"\nSW1301 = "off"\n'
    )
    data = json.loads(run("check", "--format", "json").stdout)
    severities = {one["code"]: one["severity"] for one in data["findings"]}
    assert severities["SW702"] == "error"
    assert "SW1301" not in severities


def test_wrong_settings_are_one_message(project: Path) -> None:
    for text, words in (
        ("[check]\nmemry = 1\n", 'did you mean "memory"?'),
        ('[check]\nmemory = "lots"\n', "is no size"),
        ("[check\n", "stackwright.toml"),
        ('[environments.x]\nkind = "fast"\n', "environments.x.kind"),
    ):
        (project / "stackwright.toml").write_text(text)
        assert words in str(run("check").exception)


def test_a_file_is_checked_with_the_environments_it_is_part_of(project: Path) -> None:
    assert set(found("check", "compose.prod.yaml")) == set(found("-E", "prod", "check"))
    other = project / "elsewhere" / "stack.yml"
    other.parent.mkdir()
    other.write_text("services:\n  a:\n    image: example/a\n")
    assert set(found("check", str(other))) == {"SW701"}


def test_missing_file_and_unknown_rule_are_said(project: Path) -> None:
    assert "no such file" in str(run("check", "nothing.yaml").exception)
    result = CliRunner().invoke(group, ["check", "--rule", "SW4711"])
    assert result.exit_code != 0
    assert "no rule" in result.output


def test_explain_and_list_know_every_rule(project: Path) -> None:
    assert "host-port-collision" in run("check", "--explain", "sw301").stdout
    assert "SW301   host-port-collision" in run("check", "--list-rules").stdout


def test_fix_shows_a_diff_keeps_comments_and_a_second_run_changes_nothing(project: Path) -> None:
    (project / "compose.yaml").write_text(BASE.replace("2222:22", "22:22"))
    shown = run("check", "--diff").stdout
    assert "-version: '3.9'   # kept for the old tool" in shown
    assert (project / "compose.yaml").read_text().startswith("version")
    run("check", "--fix")
    text = (project / "compose.yaml").read_text()
    assert text.startswith("services:\n  # The front.\n")
    assert "      - GREETING=hello   # said first\n" in text
    assert '      - "22:22"\n' in text
    assert run("check", "--diff").stdout == ""


def test_nothing_is_fixed_that_would_change_more_than_it_says(project: Path) -> None:
    # Another document of the stream needs the version line to stay a mapping of its own.
    (project / "compose.yaml").write_text(
        "version: '3'\n---\n" + BASE.replace("version: '3.9'   # kept for the old tool\n", "")
    )
    run("check", "--fix")
    assert run("config", "-q").return_value == 0


def test_envs_lists_files_and_kinds(project: Path) -> None:
    rows = json.loads(run("envs", "--format", "json").stdout)
    assert [(row["name"], row["kind"]) for row in rows] == [("default", ""), ("prod", "production")]
    assert rows[1]["files"] == ["compose.yaml", "compose.prod.yaml"]


def test_diff_speaks_of_services_and_masks_credentials(project: Path) -> None:
    (project / "compose.prod.yaml").write_text(PROD + "      DB_PASSWORD: sesame-open\n")
    text = run("diff", "default", "prod").stdout
    assert 'sets NODE_ENV to "development"' in text
    assert "does not publish :5432 → 5432" in text or "does not publish 5432 → 5432" in text
    assert "sesame" not in text
    data = json.loads(run("diff", "default", "prod", "--json").stdout)
    assert {one["name"] for one in data["differences"]} == {"web", "db"}
    assert "sesame" not in json.dumps(data)


def test_diff_between_revisions(project: Path) -> None:
    import subprocess

    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words],
            cwd=project,
            check=True,
            capture_output=True,
        )

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    (project / "compose.yaml").write_text(BASE.replace("postgres:17", "postgres:18"))
    assert "image: postgres:17-alpine → postgres:18-alpine" in run("diff", "HEAD").stdout
    git("commit", "-qam", "second")
    assert run("diff", "HEAD~1", "HEAD", "--exit-code").return_value == 1
    assert "are the same" in run("diff", "HEAD").stdout
    assert "git knows no such revision" in str(run("diff", "nowhere").exception)
