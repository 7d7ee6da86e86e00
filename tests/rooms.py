"""The rooms of the three packages and their imports, read from the sources; `python -m tests.rooms` writes docs/design.md.

A room is a folder of a package, or a file outside such folders.
"""

from __future__ import annotations

import ast
import functools
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("schemas", "pipeline", "training")
PAGE = ROOT / "docs" / "design.md"
MARK = "<!-- `python -m tests.rooms` writes what is below from the imports and the docstrings. -->"

Graph = dict[str, set[str]]


@functools.cache
def sources() -> dict[str, Path]:
    """Dotted name -> file of every module of the three packages."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }


@functools.cache
def imports(path: Path) -> frozenset[str]:
    """Dotted names that a file imports, anywhere in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def room_of(module: str) -> str:
    """`training.fit.loop` is in training.fit; `training.config` is a room of its own."""
    return ".".join(module.split(".")[:2])


def rooms() -> Graph:
    """Room -> the rooms that it imports. The `__init__` of a package does not count: it contains no code."""
    modules = {name: path for name, path in sources().items() if "." in name}
    graph: Graph = {room_of(name): set() for name in modules}
    for name, path in modules.items():
        graph[room_of(name)] |= {room_of(other) for other in imports(path) if other in modules} - {room_of(name)}
    return graph


def reached(graph: Graph, start: str) -> set[str]:
    """Every room that can be reached from `start` by at least one arrow."""
    found: set[str] = set()
    left = list(graph[start])
    while left:
        room = left.pop()
        if room not in found:
            found.add(room)
            left += graph[room]
    return found


def fewest_arrows(graph: Graph) -> Graph:
    """The graph without the arrows that follow from others; all arrows of a cycle are kept, to make it visible."""
    reach = {room: reached(graph, room) for room in graph}

    def follows(room: str, other: str) -> bool:
        return room not in reach[other] and any(
            other in reach[between] and between not in reach[other] and room not in reach[between]
            for between in graph[room] - {other}
        )

    return {room: {other for other in others if not follows(room, other)} for room, others in graph.items()}


def drawing(package: str) -> str:
    """The rooms of a package and their imports as a Mermaid graph, without imports of schemas by other packages."""
    kept = {
        room: {other for other in others if other.startswith(f"{package}.") or not other.startswith("schemas.")}
        for room, others in rooms().items()
    }
    arrows = [
        (room, other)
        for room, others in sorted(fewest_arrows(kept).items())
        if room.startswith(f"{package}.")
        for other in sorted(others)
    ]
    shown = sorted({room for room in kept if room.startswith(f"{package}.")} | {other for _, other in arrows})
    lines = [f'    {_id(room)}["{_path(room).removeprefix(f"{package}/")}"]' for room in shown]
    lines += [f"    {_id(room)} --> {_id(other)}" for room, other in arrows]
    return "\n".join(["```mermaid", "graph TD", *lines, "```"])


def table(package: str) -> str:
    """The rooms of a package with the first lines of their docstrings."""
    rows = []
    for room in sorted(rooms(), key=lambda room: (not _is_folder(room), room)):
        if room.startswith(f"{package}."):
            rows.append(f"| `{_path(room)}` | {_first_line(room)} |")
    return "\n".join(["| room | what is in it |", "|---|---|", *rows])


def drawn() -> str:
    """The part of the page that is generated from the sources."""
    parts = [MARK]
    for package in PACKAGES:
        parts += [f"## {package}/", table(package), drawing(package)]
    return "\n\n".join(parts) + "\n"


def page() -> str:
    """The whole page as it should be: the hand-written and the generated part."""
    by_hand, _, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    return by_hand + drawn()


def _is_folder(room: str) -> bool:
    return (ROOT / room.replace(".", "/")).is_dir()


def _path(room: str) -> str:
    return room.replace(".", "/") + ("/" if _is_folder(room) else ".py")


def _id(room: str) -> str:
    return room.replace(".", "_")


def _first_line(room: str) -> str:
    docstring = ast.get_docstring(ast.parse(sources()[room].read_text(encoding="utf-8"))) or ""
    return docstring.split("\n")[0].replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
