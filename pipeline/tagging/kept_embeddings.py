"""Check that tags can lend their embeddings to another model, of which only the head has changed."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.removal.tagged import register_tags, take_out
from pipeline.tagging.model_files import ServedModel
from schemas.console.errors import UserError
from schemas.console.shown_commands import pipeline_command
from schemas.generations import Generations
from schemas.layout import Layout
from schemas.storage.files import absolute, exists
from schemas.tags import EmbeddingsEntry, SourceEntry, Tags, TagsLayout, TagsManifest


def tags_with_embeddings(root: str) -> Tags:
    """Open tags whose embeddings another head may score.

    Raises:
        UserError: There are none, some of them are still to be made, or they hold no embeddings.
        DatasetError: Their manifest is damaged.
    """
    tags = Tags.open(root)
    if (words := tags.under_way_words()) is not None:
        raise UserError(
            f"--embeddings: {root}: expected finished tags; {words}: first run the same `{pipeline_command('tag')}` command "
            "again that began it"
        )
    if not tags.manifest.embeddings:
        raise UserError(
            f"--embeddings: {root}: expected tags with embeddings, these were made with --no-embeddings; tag with --dataset or "
            "--catalog"
        )
    return tags


def embeddings_entry(tags: Tags, model: ServedModel) -> SourceEntry:
    """Where the audio of tags comes from, and that their embeddings are kept; raises UserError for another trunk."""
    made_by, source = tags.manifest.model, tags.manifest.source
    if made_by.trunk_sha256 != model.entry.trunk_sha256:
        raise UserError(
            f"--embeddings: {tags.layout.root}: expected tags of a model with the trunk of {model.uri} "
            f"({model.entry.trunk_sha256[:12]}), found those of another trunk ({made_by.trunk_sha256[:12]}), which gives other "
            "embeddings; tag with --dataset or --catalog"
        )
    return SourceEntry(source.kind, source.uri, EmbeddingsEntry(absolute(tags.layout.root), made_by.sha256))


def check_same_embeddings(
    layout: TagsLayout, held: TagsManifest, asked: TagsManifest, source: object, beside: str
) -> None:
    """Raise UserError if tags would go on with embeddings from elsewhere than those with which they were begun.

    Args:
        layout: Paths of the tags.
        held: Their manifest.
        asked: That of new tags of the given inputs.
        source: The inputs.
        beside: What to do instead.
    """
    kept, given = held.source.embeddings, asked.source.embeddings
    if kept is None or given is None:
        if kept is not given:
            how = {True: "what the whole model gave", False: "what its head gave for kept embeddings"}
            raise UserError(
                f"{layout.root}: holds {how[kept is None]}, received inputs for {how[given is None]}; {beside}"
            )
        return
    if kept.model_sha256 != given.model_sha256:
        raise UserError(
            f"{layout.root}: keeps the embeddings of tags by {kept.model_sha256[:12]} ({kept.tags}), received tags by "
            f"{given.model_sha256[:12]} ({given.tags}); {beside}"
        )
    finished = held.finished.generations
    if isinstance(source, Generations):
        there = [(one.shards, one.tracks) for one in source.manifest.generations]
        if [(one.shards, one.tracks) for one in finished] != there[: len(finished)]:
            raise UserError(f"{layout.root}: keeps the embeddings of other tags than {given.tags}; {beside}")


def register_beside(source: Tags, out: str) -> None:
    """Record tags that keep embeddings in the dataset that was tagged, if it is there, so that a removal reaches them."""
    tagged = source.manifest.source
    if tagged.kind == "dataset" and exists(Layout(tagged.uri).manifest):
        register_tags(Layout(tagged.uri), out)


def take_out_too(tags: Tags, source: Tags) -> None:
    """Take out of tags, and erase from them, what has been from the tags whose embeddings they keep."""
    there, here = source.removed(), tags.removed()
    for is_erased in (False, True):
        wanted, done = (
            table["track_id"].filter(pc.equal(table["purged"], True)) if is_erased else table["track_id"]
            for table in (there, here)
        )
        new = wanted.filter(pc.invert(pc.is_in(wanted, value_set=done.combine_chunks()))).combine_chunks()
        if len(new):
            take_out(tags.layout.root, pa.array(new, pa.string()), purge=is_erased)
