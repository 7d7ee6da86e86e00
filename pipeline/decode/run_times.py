"""Times and counters of a generation's build, stored next to the data; these may differ between two builds."""

from __future__ import annotations

from typing import Any

from schemas.layout import Layout, generation_name
from schemas.manifests import to_json
from schemas.storage.files import exists, read_bytes, write_atomic
from schemas.storage.json_object import parse_json_object


def read_run_times(layout: Layout, generation: int) -> dict[str, Any]:
    """Times and counters of a generation; empty if they are missing or damaged, which is harmless."""
    uri = layout.run_summary(f"build-{generation_name(generation)}")
    try:
        return parse_json_object(read_bytes(uri)) if exists(uri) else {}
    except ValueError:
        return {}


def added_counters(before: dict[str, Any], written: dict[str, int]) -> dict[str, int]:
    """Counters of a generation over all calls that wrote some of it.

    Args:
        before: What `read_run_times` returned.
        written: Counters of the last call.
    """
    counted = before.get("counters", {})
    names = sorted({*counted, *written})
    return {name: counted.get(name, 0) + written.get(name, 0) for name in names}


def write_run_times(layout: Layout, generation: int, facts: dict[str, Any]) -> None:
    """Write times and counters of a generation, which may differ between two builds."""
    uri = layout.run_summary(f"build-{generation_name(generation)}")
    write_atomic(uri, to_json({"generation": generation, **facts}))
