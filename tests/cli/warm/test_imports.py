"""A worker finds imported what the verbs import when they are called."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from stackwright.cli.group import VERBS
from stackwright.handover import VERBS as WARM

SHOW = """
import json, sys
from stackwright.cli.warm.forkserver import import_everything
import_everything()
print(json.dumps(sorted(sys.modules)))
"""


def imported_by(module: str) -> set[str]:
    """All of ours that the module's code imports, at its start or later."""
    spec = find_spec(module)
    assert spec is not None and spec.origin
    tree = ast.parse(Path(spec.origin).read_text())
    return {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stackwright.")
    }


def test_nothing_is_left_to_import_for_an_everyday_verb() -> None:
    done = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    missing = {}
    for verb in WARM:
        home = VERBS[verb][0].partition(":")[0]
        assert home in loaded, verb
        if late := imported_by(home) - loaded:
            missing[verb] = late
    assert missing == {"build": {"stackwright.cli.check"}}, "only `build --check` brings the rules along"
