"""Stand-ins for well-known images, built from distribution packages.

For networks where no image registry can be reached. A recipe says which image references it stands
for and how to build them; the result carries the official image's environment variables, paths,
ports, users and entrypoint, under the same name, and a label that says it is a stand-in.

    recipe = find("postgres:15-alpine")            # None when we have nothing for it
    await build(recipe, engine, progress=print)    # a second call does nothing

This package knows the Docker Engine API client and nothing above it: whether a stand-in is wanted
at all (registry unreachable, or the user asked for it) is the caller's decision.
"""

from .builder import STANDIN_DIGEST_LABEL, STANDIN_LABEL, build
from .catalogue import Recipe, find, names, suggest
from .errors import RecipeBuildFailed, RecipeError, RecipeInvalid, ToolMissing

__all__ = [
    "STANDIN_DIGEST_LABEL",
    "STANDIN_LABEL",
    "Recipe",
    "RecipeBuildFailed",
    "RecipeError",
    "RecipeInvalid",
    "ToolMissing",
    "build",
    "find",
    "names",
    "suggest",
]
