"""HTML pages by templates: one self-contained file each, the same facts giving the same bytes."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

from schemas.console.terminal import visible

if TYPE_CHECKING:
    from jinja2 import Environment

SHARED = "schemas.console"  # the package whose templates all pages build on


def render_page(package: str, template: str, **facts: Any) -> str:
    """Render a page.

    Every value is escaped, and control characters and marks that turn the order of letters are spelled out, so text from
    outside is shown and never obeyed. A fact that a template names and nobody gave raises jinja2.UndefinedError.

    Args:
        package: dotted name of the package whose folder `templates` holds the template.
        template: file name; it extends base.html of the shared templates.
        facts: what the template shows. Templates format numbers with the filter `number` and ask whether there is one
            with the test `finite`.
    """
    rendered: str = _environment(package).get_template(template).render(facts)
    return visible(rendered, keep="\n")


@functools.cache
def _environment(package: str) -> Environment:
    # Only a page needs Jinja2: commands and workers that write none must not load it.
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader(SHARED)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["number"] = number
    environment.tests["finite"] = is_finite
    return environment


def number(value: object, spec: str = ",") -> str:
    """A number in a format such as `.2f` or `,`; a dash where it is missing or not finite."""
    return format(value, spec) if is_finite(value) else "–"


def is_finite(value: object) -> bool:
    """True for a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
