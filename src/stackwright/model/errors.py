"""What can be wrong with a model, and where."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake.

    ``code`` is stable (docs/errors.md lists them). ``file`` is empty when no file is to blame;
    ``line`` and ``column`` count from 1, 0 when unknown. ``path`` is the place in the model
    (``services.web.ports[0]``); ``suggestion`` is a likely mend or empty.
    """

    code: str
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    path: str = ""
    suggestion: str = ""
    chain: tuple[str, ...] = ()


class ModelErrors(Exception):  # noqa: N818 - it carries several errors
    """All mistakes found in one load. ``str()`` is the text for a person, with excerpts."""

    exit_code = 1

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.message for problem in self.problems))
