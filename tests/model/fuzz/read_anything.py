"""A coverage-guided fuzzer of the reader: whatever the bytes, a project or a list of problems, in bounded time.

    pip install atheris
    python tests/model/fuzz/read_anything.py -max_total_time=3600 -timeout=2 -rss_limit_mb=300 CORPUS

The corpus may start as the compose files of `tests/model/conformance/cases`. Bytes before the first NUL are the
compose file; after it an override, an included file and an `.env`, in that order. Nothing is read from disk.
`-rss_limit_mb` and `-timeout` hold the promises of issue "The Compose model, complete" for bad input.
"""

from __future__ import annotations

import sys

FOLDER = "/nowhere/project"
NAMES = ("compose.yaml", "compose.override.yaml", "included.yaml", ".env")


def read(data: bytes) -> None:
    """One input through every stage; raises what a user would see as a traceback."""
    from stackwright.model.emit.hashes import service_hash
    from stackwright.model.emit.json_form import json_project
    from stackwright.model.emit.json_text import indented
    from stackwright.model.emit.yaml_form import yaml_project
    from stackwright.model.emit.yaml_text import yaml_text
    from stackwright.model.load import ModelErrors, Request, read_model
    from stackwright.model.typed import to_project

    parts = data.split(b"\0\0", len(NAMES) - 1)
    texts = {f"{FOLDER}/{name}": part for name, part in zip(NAMES, parts, strict=False)}
    files = list(texts)[:2]
    request = Request(
        files,
        working_directory=FOLDER,
        env_files=[f"{FOLDER}/.env"] if len(parts) == len(NAMES) else None,
        environment={"HOME": "/home/u", "A": "1", "B": "two words", "EMPTY": ""},
        project_name="fuzz",
        profiles=["*"] if data[:1] == b"#" else None,
        traced=data[:1] == b"\n",
        unsaved=texts,
    )
    try:
        model = read_model(request)
    except ModelErrors as errors:
        assert errors.problems
        str(errors)
        return
    indented(json_project(model.data))
    yaml_text(yaml_project(model.data))
    for service in model.data["services"].values():
        service_hash(service)
    to_project(model)


if __name__ == "__main__":
    import atheris

    with atheris.instrument_imports(include=["stackwright"]):
        import stackwright.model.emit.yaml_form
        import stackwright.model.extends
        import stackwright.model.include
        import stackwright.model.load
        import stackwright.model.typed  # noqa: F401

    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
