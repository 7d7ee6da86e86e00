"""Remove tracks from a dataset, as a take-down request requires. The command calls `remove`."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.removal.leftovers import no_build, remove_features, temporaries, unnamed_features, unnamed_files
from pipeline.removal.purge import purge_tracks
from pipeline.removal.tagged import TakenOut, take_out_everywhere
from pipeline.removal.tombstones import write_tombstones
from schemas.console.errors import DatasetError, UserError
from schemas.console.shown_commands import training_command
from schemas.console.terminal import say
from schemas.dataset import Dataset
from schemas.label_version import read_label_table
from schemas.layout import Layout
from schemas.plan_file import PlanReader
from schemas.sole_writer import changing, sole_writer
from schemas.storage.files import exists, is_folder, join, list_names, read_bytes
from schemas.storage.json_object import parse_json_object
from schemas.tables import SPLITS, TRACK_IDS
from schemas.user_files.table_files import read_table
from schemas.user_files.text_lines import lines_of, text_of

_MARGINS = "\ufeff" + "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
_PLAIN_ENDINGS = (".txt", ".list", ".ids")


@dataclasses.dataclass(frozen=True)
class RemovalSummary:
    """Results of a removal.

    Attributes:
        asked: Number of ids in the user's file.
        unknown: Number of those ids that are not in the dataset, and the first few.
        removed: Number of tracks removed by this call.
        before: Number of tracks removed earlier.
        purged_payloads: Number of payload files rewritten; None without purge.
        labels: Label version -> number of requested tracks that it holds, per split.
        runs: Folders of known training runs that were trained on one of those versions.
        tags: Folders with tags of the dataset, from which the tracks were taken out too.
        under_way: Progress of the generation under way, which erases purged tracks when it is closed; None if there is none.
    """

    asked: int
    unknown: tuple[int, tuple[str, ...]]
    removed: int
    before: int
    purged_payloads: int | None
    labels: dict[str, dict[str, int]]
    runs: tuple[str, ...]
    tags: tuple[TakenOut, ...]
    under_way: str | None


def remove(
    root: str, tracks_uri: str, *, purge: bool = False, on_progress: Callable[[int, int], None] | None = None
) -> RemovalSummary:
    """Remove tracks: every reader skips them from now on, and with `purge` their features are erased.

    The same call again resumes an interrupted one, and changes nothing otherwise.

    Args:
        root: Folder of the dataset.
        tracks_uri: A table with a column track_id, or a text file (.txt) with one id per line.
        purge: Overwrite their records, including those superseded by newer ones.
        on_progress: Called with the number of payloads processed and the total.

    Raises:
        UserError: the file is wrong, or names no track of the dataset.
    """
    asked = read_ids(tracks_uri)
    with changing(Dataset.begun(root).layout):
        dataset = Dataset.begun(root)
        known = _known_tracks(dataset)
        asked = _as_known(asked, known)
        ours = asked.filter(pc.is_in(asked, value_set=known))
        if len(ours) == 0:
            raise UserError(f"{tracks_uri}: none of its {len(asked)} tracks is in {root}, such as {asked[0].as_py()!r}")
        unknown = asked.filter(pc.invert(pc.is_in(asked, value_set=known))).to_pylist()
        tombstones = dataset.removed()
        new = ours.filter(pc.invert(pc.is_in(ours, value_set=tombstones["track_id"].combine_chunks())))
        write_tombstones(dataset.layout, tombstones, new, purged=False)
    rewritten = _purge(root, ours, on_progress or (lambda done, total: None)) if purge else None
    dataset = Dataset.begun(root)
    labels = dict(_label_versions_with(dataset, ours))
    tags = tuple(take_out_everywhere(dataset.layout, ours, purge=purge))
    return RemovalSummary(
        asked=len(asked),
        unknown=(len(unknown), tuple(unknown[:3])),
        removed=len(new),
        before=len(ours) - len(new),
        purged_payloads=rewritten,
        labels=labels,
        runs=tuple(_runs_on(dataset.layout, labels)),
        tags=tags,
        under_way=dataset.under_way_words(),
    )


def _known_tracks(dataset: Dataset) -> pa.Array:
    """Ids of all tracks in a dataset, including those planned for the generation under way."""
    ids = [dataset.tracks_of(entry.generation, ["track_id"]) for entry in dataset.manifest.generations]
    if dataset.under_way is not None:
        try:
            ids.append(PlanReader(dataset.layout.plan(dataset.under_way.generation)).columns(["track_id"]))
        except DatasetError as error:  # this does not prevent removal from the finished generations
            say(f"warning: {error}; its tracks are unknown", file=sys.stderr)
    return pa.concat_tables([TRACK_IDS.empty_table(), *ids])["track_id"].unique()


def _as_known(asked: pa.Array, known: pa.Array) -> pa.Array:
    """Ids as a dataset spells them: an id unknown with its surrounding white space is looked up without it.

    An id may begin or end with white space, so a line is first taken unchanged. Otherwise an editor, a web page or a
    concatenation of files added the white space, or a byte order mark.
    """
    bare = pa.array([track.strip(_MARGINS) for track in asked.to_pylist()], pa.string())
    return pc.if_else(pc.is_in(asked, value_set=known), asked, bare).unique().sort()


def _purge(root: str, ids: pa.Array, on_progress: Callable[[int, int], None]) -> int:
    """Erase the features of removed tracks; returns the number of rewritten payloads.

    Raises:
        UserError: another command is changing features; the tracks are removed nevertheless.
    """
    layout = Dataset.begun(root).layout
    with contextlib.ExitStack() as held:
        if is_folder(layout.all_features):
            try:
                held.enter_context(sole_writer(layout.all_features))
            except UserError as error:
                raise UserError(
                    f"{layout.root}: the tracks are taken out, but not erased yet: another command is changing its features; run "
                    "the same command again when it has ended"
                ) from error
        finished = dataclasses.replace(Dataset.begun(root), under_way=None)
        rewritten = purge_tracks(finished, ids, on_progress)
        # A build may have closed a generation meanwhile. Once the tombstones are marked, a build erases the tracks itself.
        with changing(layout):
            dataset = Dataset.begun(root)
            since = len(finished.manifest.generations)
            rewritten += purge_tracks(dataset, ids, lambda done, total: None, first=since)
            with no_build(dataset) as alone:
                for uri, _ in [
                    *unnamed_features(dataset),
                    *unnamed_files(dataset, of_build=alone),
                    *temporaries(dataset, layout.all_features, of_build=alone),
                ]:
                    remove_features(uri)
            write_tombstones(layout, dataset.removed(), ids, purged=True)
    return rewritten


def known_runs(layout: Layout) -> list[dict[str, Any]]:
    """Notes that training runs wrote into the dataset: `run` (their folder) and `label_set` (NAME@VERSION).

    Raises:
        DatasetError: a note is damaged.
    """
    return [read_run_note(uri) for uri in run_notes(layout)]


def run_notes(layout: Layout) -> list[str]:
    """The files in which training runs noted that they were trained on the dataset."""
    return [join(layout.runs, name) for name in list_names(layout.runs) if name.startswith("train-")]


def read_run_note(uri: str) -> dict[str, Any]:
    """The note of a training run; raises DatasetError if it is damaged."""
    try:
        note = parse_json_object(read_bytes(uri))
        if not all(isinstance(note.get(name), str) for name in ("run", "label_set")):
            raise ValueError("it lacks the run or its label set")
    except ValueError as error:
        raise DatasetError(
            f"{uri}: expected the note of a training run, a JSON object: {error}; run the same "
            f"`{training_command('train')}` command again, which rewrites it, or remove the file if that run is not in use"
        ) from error
    return note


def read_ids(uri: str) -> pa.Array:
    """The ids of a list or a table, each once and as written.

    Raises:
        UserError: it cannot be read, or holds no ids.
    """
    if uri.lower().endswith(_PLAIN_ENDINGS):
        try:
            lines = lines_of(text_of(read_bytes(uri), f"tracks {uri}"))
        except OSError as error:
            raise UserError(f"tracks {uri}: cannot be read: {error.strerror or error}") from error
        ids = pa.array(sorted({line for line in lines if line.strip(_MARGINS)}), pa.string())
    else:
        table = read_table(uri, what="tracks", required=TRACK_IDS.names, schema=TRACK_IDS)
        ids = table["track_id"].unique().sort()
    if len(ids) == 0:
        raise UserError(f"tracks {uri}: expected at least one track id, found none")
    return ids


def _label_versions_with(dataset: Dataset, ids: pa.Array) -> Any:
    """NAME@VERSION and number of tracks per split, for each label version that holds some of these tracks.

    A damaged version is reported and skipped: it does not prevent a removal.
    """
    for name in list_names(dataset.layout.label_sets):
        for version in list_names(dataset.layout.label_set(name)):
            if not exists(join(dataset.layout.label_version(name, version), "labels.parquet")):
                continue
            try:
                table = read_label_table(dataset, name, version)
            except DatasetError as error:
                say(f"warning: {error}", file=sys.stderr)
                continue
            held = table.filter(pc.is_in(table["track_id"], value_set=ids))
            counts = {side: pc.sum(pc.equal(held["split"], side)).as_py() or 0 for side in SPLITS}
            if held.num_rows:
                yield f"{name}@{version}", {side: count for side, count in counts.items() if count}


def _runs_on(layout: Layout, labels: dict[str, dict[str, int]]) -> Iterator[str]:
    """Folders of known runs that were trained on one of these label versions; a damaged note is reported and skipped."""
    for uri in run_notes(layout):
        try:
            note = read_run_note(uri)
        except DatasetError as error:
            say(f"warning: {error}", file=sys.stderr)
            continue
        if note["label_set"] in labels:
            yield note["run"]
