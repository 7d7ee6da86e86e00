"""The job of the command `tag`: score files one after the other, print each, and write a table and timelines of them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from schemas.console.errors import TagscaleError
from schemas.console.progress import Progress
from training.serving.saved_model import SavedModel
from training.serving.summary import SHOWN_TAGS, print_tagged
from training.serving.tag import tag_with
from training.serving.tag_table import require_table_place, tag_table
from training.serving.timeline import Timelines


def tag_inputs(
    model_uri: str,
    files: Sequence[str],
    *,
    top: int | None = None,
    as_json: bool = False,
    table: str | None = None,
    timeline: str | None = None,
) -> None:
    """Tag files, of which one that cannot be decoded costs no other one.

    Args:
        model_uri: a SavedModel that `export` wrote.
        files: audio files, as `audio_files` finds them.
        top: how many of the highest scores are shown [default: 5, and all as JSON].
        as_json: print a JSON object for each file.
        table: CSV file to write all scores to, a row for each file.
        timeline: folder to write the scores of each file's patches to.

    Raises:
        UserError: the model cannot be read, or the table or the timelines cannot be written.
        TagscaleError: some files could not be tagged; all others were.
    """
    if table is not None:
        require_table_place(table)
    model = SavedModel(model_uri)
    watch = None if timeline is None else Timelines(timeline, model, files, top or SHOWN_TAGS).of
    rejected = 0
    with contextlib.ExitStack() as stack:
        add = None if table is None else stack.enter_context(tag_table(table, model.tags))
        progress = stack.enter_context(Progress("tag", len(files), "files")) if len(files) > 1 else None
        for done, one in enumerate(tag_with(model, files, watch), start=1):
            rejected += one.problem is not None
            if add is not None:
                add(one)
            print_tagged(one, model, as_json=as_json, top=top)
            if progress is not None:
                progress.update(done)
    if rejected:
        raise TagscaleError(f"{rejected:,} of {len(files):,} files could not be tagged")
