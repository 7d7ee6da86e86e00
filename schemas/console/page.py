"""Render HTML pages from templates: each is one self-contained file, and the same facts give the same bytes."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

from schemas.console.terminal import visible

if TYPE_CHECKING:
    from jinja2 import Environment

SHARED = "schemas.console"  # package of the templates on which all pages build


def render_page(package: str, template: str, **facts: Any) -> str:
    """Render a page.

    Every value is escaped, and control characters and bidirectional marks are spelled out, so that text from outside is
    displayed and never interpreted. A fact that a template uses but that is missing raises jinja2.UndefinedError.

    Args:
        package: Dotted name of the package whose folder `templates` holds the template.
        template: File name; the template extends base.html of the shared templates.
        facts: Values that the template shows. Templates format numbers with the filter `number` and check them with the
            test `finite`.
    """
    rendered: str = _environment(package).get_template(template).render(facts)
    return visible(rendered, keep="\n")


@functools.cache
def _environment(package: str) -> Environment:
    # Only pages need Jinja2, so commands and workers that write none must not load it.
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
    """A number in a format such as `.2f` or `,`; a dash if it is missing or not finite."""
    return format(value, spec) if is_finite(value) else "–"


def is_finite(value: object) -> bool:
    """True for a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
