"""Order the tags of a hierarchy or of merges, and find a cycle in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence


def below_first(groups: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Every tag once, after all members of its group. The groups have no cycle."""
    done: set[str] = set()
    for start in groups:
        way = [start]
        while way:
            tag = way[-1]
            left = [] if tag in done else [member for member in groups.get(tag, ()) if member not in done]
            if left:
                way.extend(left)
                continue
            way.pop()
            if tag not in done:
                done.add(tag)
                yield tag


def cycle_in(groups: Mapping[str, Sequence[str]]) -> list[str]:
    """A path from some tag through its group, their groups and so on back to it; empty if there is none."""
    done: set[str] = set()  # tags that are on no cycle
    for start in groups:
        way = {start: iter(groups[start])}  # in order
        while way:
            tag = next(reversed(way))
            member = next((one for one in way[tag] if one not in done), None)
            if member is None:
                way.popitem()
                done.add(tag)
            elif member in way:
                names = list(way)
                return [*names[names.index(member) :], member]
            else:
                way[member] = iter(groups.get(member, ()))
    return []
