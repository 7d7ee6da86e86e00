"""Names for the timelines of files, which may come from many folders into one."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence

from schemas.storage.files import is_remote, local_path

_MOST_BYTES = 200  # of a name, which gets an ending and perhaps a number; file systems take 255


def timeline_names(files: Sequence[str]) -> dict[str, str]:
    """File -> the name of its timeline: that of the file without its folder and ending.

    If several files have the same name, all but the first get a number, in the order of the files: `song`, `song-2`,
    `song-3`. Upper and lower case count as the same, since some disks do not tell them apart. A number never takes the
    name that another file has of its own.

    Args:
        files: paths or URIs in order; the same one twice has one timeline.
    """
    own = {file: _own_name(file) for file in files}
    taken = {name.casefold() for name in own.values()}
    names: dict[str, str] = {}
    firsts: set[str] = set()
    for file, name in own.items():
        chosen, number = name, 2
        if name.casefold() in firsts:
            while (chosen := f"{name}-{number}").casefold() in taken:
                number += 1
        firsts.add(name.casefold())
        taken.add(chosen.casefold())
        names[file] = chosen
    return names


def _own_name(file: str) -> str:
    path = file if is_remote(file) else local_path(file)
    name = posixpath.splitext(posixpath.basename(path.rstrip("/")))[0] or "track"
    # A name that is cut in the middle of a letter loses the whole letter.
    return os.fsencode(name)[:_MOST_BYTES].decode(errors="ignore") if len(os.fsencode(name)) > _MOST_BYTES else name
