# ruff: noqa: N818 - the tree's root says Error; the leaves say what happened
"""What can go wrong with a stand-in image, as leaves of the engine's tree of errors."""

from __future__ import annotations

from stackwright.engine.errors import EngineError


class RecipeError(EngineError):
    """Base of all errors of this package; the message is fit for a person, `hint` says what to do."""

    code = "recipe.error"


class RecipeInvalid(RecipeError):
    """A `recipe.toml` is not as it should be (a mistake in the recipe, not of its user)."""

    code = "recipe.invalid"


class ToolMissing(RecipeError):
    """The host lacks a program or a setting that is needed to build (named in the message)."""

    code = "recipe.tool_missing"


class RecipeBuildFailed(RecipeError):
    """The build ran and failed; `output` holds its last lines."""

    code = "recipe.build_failed"

    def __init__(self, message: str, *, output: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.output = output
