"""Stackwright: from a Compose file to a checked, running, observed, tested and deployed system."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stackwright.model.errors import ModelErrors, Problem
    from stackwright.model.load import load
    from stackwright.model.project import Project
    from stackwright.verify.bringing import up

__all__ = ["ModelErrors", "Problem", "Project", "__version__", "load", "up"]

__version__ = "0.1.0"

_HOMES = {
    "load": "model.load",
    "Project": "model.project",
    "ModelErrors": "model.errors",
    "Problem": "model.errors",
    "up": "verify.bringing",
}


def __getattr__(name: str) -> "Any":
    """The public names are imported on first use, so that importing the package stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"stackwright.{_HOMES[name]}"), name)
