"""The reader of the pages itself."""

from __future__ import annotations

import pytest
from tests.support.examples import Command, File, examples

PAGE = """
# A page

```yaml title="compose.yaml"
services: {}
```

```console
$ stackwright up \\
> -d
 ✔ Container … Started
$ stackwright oops
# exit 2
```

```text
$ not run
```
"""


def test_files_and_commands_come_in_order() -> None:
    assert list(examples(PAGE)) == [
        File("compose.yaml", "services: {}\n"),
        Command("stackwright up \\\n-d", 9, [" ✔ Container … Started"]),
        Command("stackwright oops", 12, [], 2),
    ]


def test_an_ellipsis_stands_for_anything_within_a_line() -> None:
    command = Command("x", 1, ["Container … Started"])
    assert command.mismatch("Container shop-web-1   Started  0.1s") is None
    assert command.mismatch("Container shop-web-1\nStarted") == "Container … Started"


def test_promised_lines_must_appear_in_their_order() -> None:
    assert Command("x", 1, ["b", "a"]).mismatch("a\nb") == "a"


def test_output_without_a_command_is_refused() -> None:
    with pytest.raises(ValueError, match="line 3"):
        list(examples("\n```console\nhello\n```\n"))
