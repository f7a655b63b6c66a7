"""The folder with a compose file, on each engine."""

from tests.cli.conftest import box, embedded

__all__ = ["box", "embedded"]
