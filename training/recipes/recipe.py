"""Find a recipe: one of the package by its name, or a file of the user's own."""

from __future__ import annotations

import os
from pathlib import Path

from schemas.console.errors import UserError
from schemas.user_files.yaml_files import shown

RECIPES = ("paper", "small", "large")
_FOLDER = Path(__file__).parent
_ENDINGS = (".yaml", ".yml", ".json")


def recipe_file(recipe: str) -> str:
    """The file of a recipe.

    Args:
        recipe: name of a recipe of the package, or the path of a YAML or JSON file.

    Raises:
        UserError: it is neither.
    """
    if recipe in RECIPES:
        return str(_FOLDER / f"{recipe}.yaml")
    if recipe.lower().endswith(_ENDINGS) or os.sep in recipe:
        return recipe
    raise UserError(
        f"--recipe: expected {', '.join(RECIPES)}, or the path of a YAML file, received {shown(recipe)}; choose one, or "
        "leave it out"
    )
