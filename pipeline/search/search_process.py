"""A process that searches tags for tracks near an embedding: a JSON request per line on stdin, a JSON answer per line on stdout.

It keeps the index open, so that only the search itself takes time. Every answer is that of the tags as they are by then: a track
that was removed is left out, and the index of tags that have grown is made anew.

    request:  {"embedding": [numbers], "scores": [numbers], "count": n, "name": what they are of}
    answers:  {"progress": true}   once when requests are taken
              the fields that `similar --json` prints, or {"error": line}
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from typing import Any

import numpy as np

from pipeline.audio.lifeline import end_with_parent
from pipeline.search.audio_places import audio_uris
from pipeline.search.block_matrix import DamagedIndexError
from pipeline.search.index import Index, open_index
from pipeline.search.index_files import index_base, remove_index
from pipeline.search.query import Query, query_of_embedding
from pipeline.search.similar import Similar, SimilarOptions, search_index
from pipeline.search.summary import similar_fields
from schemas.console.errors import TagscaleError
from schemas.console.terminal import say
from schemas.tags import Tags


class OpenSearch:
    """Searches one folder of tags again and again.

    Args:
        root: Folder of the tags.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._base: str | None = None  # of the index that is open
        self._index: Index | None = None
        self._open = contextlib.ExitStack()

    def near(self, query: Query, name: str, options: SimilarOptions) -> Similar:
        """The tracks nearest to an embedding.

        Args:
            query: The embedding.
            name: What it is of.
            options: The number of tracks to find.

        Raises:
            TagscaleError: There are no such tags any more, or they cannot be searched.
        """
        try:
            return search_index(*self.refresh(), query, (), options, file=name)
        except DamagedIndexError as damage:
            say(f"warning: {damage}; the index is made again", file=sys.stderr, level="warning")
            self._close()
            remove_index(Tags.open(self._root))
            return search_index(*self.refresh(), query, (), options, file=name)

    def refresh(self) -> tuple[Tags, Index]:
        """The tags as they are, and their index."""
        tags = Tags.open(self._root)
        if self._index is None or self._base != index_base(tags):
            self._close()
            self._index, self._base = self._open.enter_context(open_index(tags)), index_base(tags)
        return tags, self._index

    def _close(self) -> None:
        self._index = self._base = None
        self._open.close()


def answer(search: OpenSearch, request: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request."""
    try:
        embedding, scores = (np.array(request[name], np.float16) for name in ("embedding", "scores"))
        query = query_of_embedding(embedding, scores, request["name"])
        found = search.near(query, request["name"], SimilarOptions(count=request["count"]))
        return similar_fields(found, audio_uris(Tags.open(found.tags), found.neighbours))
    except TagscaleError as error:
        return {"error": str(error)}


def main() -> None:
    """Answer requests until the parent ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--index", required=True, help="folder of the tags")
    parser.add_argument("--lifeline", type=int, required=True, help="pipe that closes when the parent is gone")
    options = parser.parse_args()
    end_with_parent(options.lifeline)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # nothing that a library prints may be taken for an answer
    print(json.dumps({"progress": True}), file=answers)
    search = OpenSearch(options.index)
    with contextlib.suppress(TagscaleError):  # it is told by the first search
        search.refresh()
    for line in sys.stdin:
        print(json.dumps(answer(search, json.loads(line))), file=answers)


if __name__ == "__main__":
    main()
