"""Take tracks out of tags: at once for every reader, and on request from their files.

A tagging of a dataset leaves a note in the dataset, so that a removal there reaches its tags too. Erasing drops a track's row
from the scores of its shard: the new file is written, the done mark is pointed at it, and the old one is removed, in this order.
"""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.removal.tombstones import write_tombstones
from schemas.console.errors import TagscaleError
from schemas.console.terminal import say
from schemas.features import FINGERPRINT_LENGTH
from schemas.layout import Layout
from schemas.manifests import to_json
from schemas.sole_writer import changing
from schemas.storage.files import absolute, exists, join, list_names, read_bytes, remove, remove_tree, write_atomic
from schemas.storage.json_object import parse_json_object
from schemas.storage.stored_tables import table_bytes
from schemas.stored_scores import read_scores
from schemas.tags import Tags, TagsLayout

_NOTE = "tags-"


@dataclasses.dataclass(frozen=True)
class TakenOut:
    """What a removal did to one folder of tags.

    Attributes:
        tags: The folder.
        tracks: Number of requested tracks that it knows.
        files: Number of files from which tracks were erased; None without purge.
    """

    tags: str
    tracks: int
    files: int | None


def register_tags(dataset: Layout, out: str) -> None:
    """Record in a dataset that its tracks were tagged into a folder; warns if the dataset cannot be written."""
    path = absolute(out)
    name = f"{_NOTE}{hashlib.sha256(path.encode()).hexdigest()[:FINGERPRINT_LENGTH]}"
    try:
        write_atomic(dataset.run_summary(name), to_json({"tags": path}))
    except Exception as error:  # each store has errors of its own
        words = f"{dataset.root}: cannot be written, so a removal there will not reach {out}: {error}"
        say(words, file=sys.stderr, level="warning")


def take_out_everywhere(dataset: Layout, ids: pa.Array, *, purge: bool) -> Iterator[TakenOut]:
    """Take tracks out of all tags of a dataset that still exist; one that cannot be changed is reported and skipped."""
    for name in list_names(dataset.runs):
        if not name.startswith(_NOTE):
            continue
        try:
            folder = str(parse_json_object(read_bytes(join(dataset.runs, name)))["tags"])
            if exists(TagsLayout(folder).manifest):
                yield take_out(folder, ids, purge=purge)
        except (TagscaleError, OSError, ValueError, KeyError) as error:
            say(f"warning: {join(dataset.runs, name)}: its tags still hold these tracks: {error}", file=sys.stderr)


def take_out(root: str, ids: pa.Array, *, purge: bool) -> TakenOut:
    """Take tracks out of one folder of tags; the same call again resumes.

    Args:
        root: Folder of the tags.
        ids: Ids of the tracks.
        purge: Erase their scores from the files too.

    Raises:
        UserError: There are no tags.
        DatasetError: A file is damaged; nothing of it was erased.
    """
    layout = Tags.begun(root).layout
    with changing(layout):
        tags = Tags.begun(root)
        known = [tags.tracks_of(entry.generation, ["track_id"]) for entry in tags.manifest.generations]
        held = pa.concat_tables(known)["track_id"].combine_chunks() if known else pa.array([], pa.string())
        ours = ids.filter(pc.is_in(ids, value_set=held)) if tags.under_way is None else ids
        tombstones = tags.removed()
        new = ours.filter(pc.invert(pc.is_in(ours, value_set=tombstones["track_id"].combine_chunks())))
        write_tombstones(layout, tombstones, new, purged=False)
        files = None
        if purge:
            files = erase(tags, ours)
            remove_tree(layout.index)  # it holds their embeddings too; the next search makes it again
            write_tombstones(layout, tags.removed(), ours, purged=True)
    return TakenOut(root, int(pc.sum(pc.is_in(ids, value_set=held)).as_py() or 0), files)


def erase_again(tags: Tags, generation: int) -> None:
    """Erase from a newly closed generation the tracks that were purged while it was scored."""
    removed = tags.removed()
    erase(tags, removed["track_id"].filter(removed["purged"]).combine_chunks(), first=generation)


def erase(tags: Tags, ids: pa.Array, *, first: int = 0) -> int:
    """Drop the rows of tracks from all scores; returns the number of files that were written again.

    Args:
        tags: The tags; the generation under way is left to the command that closes it.
        ids: Ids of the tracks.
        first: Number of the first generation to search.
    """
    rewritten = 0
    if not len(ids):
        return rewritten
    for entry in tags.manifest.generations[first:]:
        tracks = tags.tracks_of(entry.generation, ["track_id", "shard", "record"])
        held = tracks.filter(pc.and_(pc.is_valid(tracks["record"]), pc.is_in(tracks["track_id"], value_set=ids)))
        for shard in sorted(held["shard"].unique().to_pylist()):
            rewritten += _erase_from(tags, entry.generation, shard, ids)
    return rewritten


def _erase_from(tags: Tags, generation: int, shard: int, ids: pa.Array) -> bool:
    # The mark written below would make a damaged file pass as intact, so the file is checked against the old one.
    table = read_scores(tags, generation, shard)
    _, mark = tags.scores(generation, shard)
    kept = table.filter(pc.invert(pc.is_in(table["track_id"], value_set=ids)))
    if kept.num_rows < table.num_rows:
        new = table_bytes(kept.combine_chunks())
        digest = hashlib.sha256(new).hexdigest()
        target = tags.layout.payload(tags.manifest.spec, generation, shard, digest)
        write_atomic(target, new)
        turned = dataclasses.replace(
            mark, payload=target.rsplit("/", 1)[-1], records=kept.num_rows, bytes=len(new), sha256=digest
        )
        write_atomic(tags.layout.done_mark(tags.manifest.spec, generation, shard), turned.to_bytes())
        mark = turned
    folder = tags.layout.features(tags.manifest.spec, generation)
    for name in list_names(folder):
        if name.startswith(f"{mark.payload.rsplit('-', 1)[0]}-") and name != mark.payload:
            remove(join(folder, name))
    return bool(kept.num_rows < table.num_rows)
