"""Locate the audio of a data set that publishes no paths, by a pattern over the track id."""

from __future__ import annotations

import string

import pyarrow as pa
import pyarrow.compute as pc

from schemas.console.errors import UserError, did_you_mean

DEFAULT_PATTERN = "{id}.mp3"

# Field -> letters of a Million Song id; the data set's own folders are A/B/C for TRABC….
_FIELDS = {"id": slice(0, None), "a": slice(2, 3), "b": slice(3, 4), "c": slice(4, 5)}


def paths_of(track_ids: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    """A path for each track id.

    Args:
        track_ids: Ids such as TRAADIN128F931D672.
        pattern: A path with `{id}` and, for the data set's own folders, `{a}`, `{b}`, `{c}`: the third to fifth letter.

    Raises:
        UserError: the pattern lacks `{id}`, or has an unknown field or an unclosed brace.
    """
    try:
        parsed = [(literal, field) for literal, field, _, _ in string.Formatter().parse(pattern)]
    except ValueError as error:
        raise UserError(f"--path-pattern {pattern}: expected fields in braces: {error}") from error
    fields = [field for _, field in parsed if field is not None]
    for name in fields:
        if name not in _FIELDS:
            raise UserError(
                f"--path-pattern {pattern}: unknown field {name!r}{did_you_mean(name, _FIELDS)}; known are "
                f"{', '.join(_FIELDS)}"
            )
    if "id" not in fields:
        raise UserError(f"--path-pattern {pattern}: expected {{id}} in it, else tracks would share a path")
    pieces: list[pa.ChunkedArray | pa.Scalar] = []
    for literal, field in parsed:
        pieces.append(pa.scalar(literal))
        if field is not None:
            letters = _FIELDS[field]
            pieces.append(pc.utf8_slice_codeunits(track_ids, letters.start, letters.stop))
    return pc.binary_join_element_wise(*pieces, "")
