"""What can go wrong with a stand-in image, each with one line that says what to do."""

from __future__ import annotations


class RecipeError(Exception):
    """Base of all errors of this package; `str()` is a message fit for a person."""


class RecipeInvalid(RecipeError):
    """A `recipe.toml` is not as it should be (a mistake in the recipe, not of its user)."""


class ToolMissing(RecipeError):
    """The host lacks a program or a setting that is needed to build (named in the message)."""


class RecipeBuildFailed(RecipeError):
    """The build ran and failed; `output` holds its last lines."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output
