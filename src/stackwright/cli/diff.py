"""`stackwright diff dev production`: what differs between two environments, or two revisions of one."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from stackwright.checks.describing import Difference, describe
from stackwright.checks.environments import Environment, choose, find_environments
from stackwright.checks.settings import SettingsError, read_settings
from stackwright.cli.environments import Place, place_of
from stackwright.cli.flags import GlobalOptions
from stackwright.cli.revisions import checkout, is_revision
from stackwright.model.load import Request, read_model
from stackwright.refactor.compare import differences


@click.command("diff")
@click.argument("left")
@click.argument("right", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when there are differences")
@click.pass_obj
def diff(options: GlobalOptions, left: str, right: str | None, as_json: bool, exit_code: bool) -> int:
    """Say what differs between two environments, or between two git revisions.

    LEFT and RIGHT are environments (see envs) or git revisions; a revision may name the environment it is
    about with -E. Without RIGHT the revision LEFT is compared with the files as they are.
    """
    wanted, options.environment = options.environment, None
    place = place_of(options)
    with ExitStack() as stack:
        one = _side(left, place, wanted, stack)
        other = (
            _side(right, place, wanted, stack)
            if right
            else (_data(_chosen(place, wanted), None), "the files as they are")
        )
    found = describe(differences(one[0], other[0]), one[1], other[1])
    sys.stdout.write(_json(found, one[1], other[1]) if as_json else _text(found, one[1], other[1]))
    return int(exit_code and bool(found))


def _chosen(place: Place, wanted: str | None) -> Environment:
    found = list(place.environments)
    return choose(found, wanted, place.folder) if wanted else found[0]


def _side(name: str, place: Place, wanted: str | None, stack: ExitStack) -> tuple[Any, str]:
    """The data of an environment or revision, and what to call it."""
    try:
        environment = choose(list(place.environments), name, place.folder)
    except SettingsError as error:
        if not is_revision(place.folder, name):
            raise SettingsError(
                f"{str(error).removesuffix(' [settings]')}, and git knows no such revision"
            ) from None
    else:
        return _data(environment, None), environment.name
    folder, root = stack.enter_context(checkout(place.folder, name))
    old = Place(folder, (settings := read_settings(folder)), tuple(find_environments(folder, settings)))
    if not old.environments:
        raise SettingsError(f"there was no Compose file in {place.folder} at {name}")
    real = (
        str(place.folder)[: -len(str(folder.relative_to(root)))]
        if folder != root
        else str(place.folder) + "/"
    )
    return _data(_chosen(old, wanted), (str(root), real.rstrip("/"))), f"{name}"


def _data(environment: Environment, moved: tuple[str, str] | None) -> Any:
    """The model as plain data with the services of all profiles; a moved root is put back in paths."""
    folder = Path(environment.folder)
    project = os.path.basename(moved[1] + str(folder)[len(moved[0]) :]) if moved else None  # noqa: PTH119
    request = Request(
        environment.files,
        project_directory=environment.folder,
        project_name=_project_name(project),
        env_files=environment.env_files or None,
        profiles=environment.profiles or ("*",),
        all_resources=True,
    )
    data: dict[str, Any] = dict(read_model(request).data)
    return _moved(data, *moved) if moved else data


def _project_name(name: str | None) -> str | None:
    from stackwright.model.discover import normal_name

    return normal_name(name) or None if name else None


def _moved(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: _moved(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, old, new) for item in value]
    return new + value[len(old) :] if isinstance(value, str) and value.startswith(old) else value


def _text(found: list[Difference], left: str, right: str) -> str:
    if not found:
        return f"{left} and {right} are the same\n"
    lines = [f"{left} → {right}"]
    groups: dict[tuple[str, str], list[Difference]] = {}
    for one in found:
        groups.setdefault((one.kind, one.name), []).append(one)
    for (kind, name), items in groups.items():
        title = name if kind == "services" else f"{kind.removesuffix('s')} {name}".strip()
        if len(items) == 1 and items[0].sentence.startswith("only in "):
            lines.append(f"\n{title}: {items[0].sentence}")
            continue
        lines.append(f"\n{title}")
        lines += [f"  {one.sentence}" for one in items]
    return "\n".join(lines) + "\n"


def _json(found: list[Difference], left: str, right: str) -> str:
    data = {"left": left, "right": right, "differences": [one.as_dict() for one in found]}
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
