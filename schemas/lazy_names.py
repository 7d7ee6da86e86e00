"""Names that a package offers but imports only on first access (PEP 562), so that importing the package stays light.

The packages' `__init__` files are read before the Python version is checked, so Python 3.6 must be able to parse this file.
"""

import importlib
from collections.abc import Callable
from typing import Any


def lazy_names(package: str, homes: "dict[str, str]") -> "tuple[Callable[[str], Any], Callable[[], list[str]]]":
    """Create the `__getattr__` and the `__dir__` of a package.

    Args:
        package: The package's `__name__`.
        homes: Name that the package offers -> its full path, such as `pipeline.decode.build.build`.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, _, attribute = homes[name].rpartition(".")
        return getattr(importlib.import_module(module), attribute)

    return get, lambda: sorted(homes)
