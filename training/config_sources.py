"""A configuration from its sources: a recipe, a YAML or JSON file over it, and the command line over both."""

from __future__ import annotations

from typing import Any

from schemas.console.errors import UserError
from training.config import TrainConfig, option_of
from training.config_combinations import IN_STEPS, FieldError, fields_of_other_families
from training.config_file import FileFields, read_fields
from training.recipes.recipe import recipe_file


def resolve_config(
    file: str | None, overrides: dict[str, Any], defaults: dict[str, Any] | None = None, *, recipe: str | None = None
) -> TrainConfig:
    """Build a configuration from its sources; what is given in one goes over those before it.

    Args:
        file: YAML, or the config.json of a run; None for no file. It goes over the recipe.
        overrides: fields given on the command line, which go over everything; None means that a field is not given.
        defaults: values of fields that are given in no other source.
        recipe: name of a recipe of the package, or a file of one's own; None for no recipe. Its fields that another
            front-end has alone are passed over, so that one recipe serves all of them.

    Raises:
        UserError: a file does not exist, or a field is unknown, missing or invalid.
    """
    files = []
    if recipe is not None:
        files.append(read_fields(recipe_file(recipe), "recipe", recipe))
    if file is not None:
        files.append(read_fields(file, "config", file))
    given = {name: value for name, value in overrides.items() if value is not None}
    fields: dict[str, Any] = dict(defaults or {})
    for source in (*(one.values for one in files), given):
        fields = {**_without_overridden(fields, source), **source}
    for name in ("dataset", "label_set", "frontend"):
        if name not in fields:
            raise UserError(f"{option_of(name)}: expected, on the command line or in --config")
    if recipe is not None:
        of_others = fields_of_other_families(fields["frontend"]) & files[0].values.keys()
        later = given.keys() | {name for one in files[1:] for name in one.values}
        fields = {name: value for name, value in fields.items() if name not in of_others - later}
    try:
        return TrainConfig(**fields)
    except FieldError as error:
        raise FieldError(error.field, error.problem, _source_of(error.field, files, given)) from error


def _without_overridden(lower: dict[str, Any], higher: dict[str, Any]) -> dict[str, Any]:
    """The fields of a source, without a number of epochs or steps in whose place a higher source gives the other."""
    other = {steps: epochs for pair in IN_STEPS.items() for steps, epochs in (pair, pair[::-1])}
    return {name: value for name, value in lower.items() if not higher.get(other.get(name, ""))}


def _source_of(field: str, files: list[FileFields], given: dict[str, Any]) -> str:
    """The name of a field in the highest source that gives it."""
    if field not in given:
        for one in reversed(files):
            if field in one.values:
                return f"{one.words}: {one.lines[field]}{field}"
    return option_of(field)
