"""Names that a package offers but imports only when they are asked for (PEP 562), so that importing it stays light.

The packages' `__init__` files are read before the version of Python is checked, so Python 3.6 must understand this file.
"""

import importlib
from collections.abc import Callable
from typing import Any


def lazy_names(package: str, homes: "dict[str, str]") -> "tuple[Callable[[str], Any], Callable[[], list[str]]]":
    """Make the `__getattr__` and the `__dir__` of a package.

    Args:
        package: its `__name__`.
        homes: name that the package offers -> where it is defined, such as `pipeline.decode.build.build`.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, _, attribute = homes[name].rpartition(".")
        return getattr(importlib.import_module(module), attribute)

    return get, lambda: sorted(homes)
