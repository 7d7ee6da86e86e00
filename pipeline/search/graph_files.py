"""The graphs of a large index: files beside it, which the first approximate search makes and each later one checks and maps.

    TAGS/index/KEY.NUMBER.usearch   the graph of one part of the rows, with their embeddings
    TAGS/index/KEY.graphs.json      of which index they are, and their checksums; written last

usearch follows the links in a file without looking where they lead, so the whole file is checked before it is mapped.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import itertools
import os
import sys
import threading

import google_crc32c
import numpy as np
import numpy.typing as npt

from pipeline.search.block_matrix import DamagedIndexError
from pipeline.search.graphs import Graphs, empty_graph, make_graph
from pipeline.search.index import Index
from pipeline.search.index_files import GRAPHS, graph_ending, index_folder, remove_graphs
from schemas.console.errors import DatasetError, UserError
from schemas.console.interpreter import missing_words
from schemas.console.progress import Progress
from schemas.console.terminal import say
from schemas.manifests import Manifest, read_json
from schemas.sole_writer import sole_writer
from schemas.storage.files import (
    exists,
    is_remote,
    local_path,
    parent,
    publish,
    remove_temporaries,
    spool,
    write_atomic,
)
from schemas.tags import Tags

PART_ROWS = 100_000  # rows of a graph: larger ones take longer to make for each row, and reach fewer of the nearest
_CHECKED = 1 << 18  # bytes read at a time: they are still in a core's cache when their checksum is computed
_SHOWN_SECONDS = 0.5  # between two looks at the progress


@dataclasses.dataclass(frozen=True)
class GraphsManifest(Manifest):
    """KEY.graphs.json.

    Attributes:
        index_sha256: SHA-256 of KEY.json, so that graphs of other rows are not taken for these.
        bytes: Size of each graph.
        crc32c: CRC32C of each graph, eight hex digits.
    """

    index_sha256: str
    bytes: tuple[int, ...]
    crc32c: tuple[str, ...]


def open_graphs(tags: Tags, index: Index) -> Graphs | None:
    """The graphs of an index, which are made first if there are none or if they are damaged.

    None where a search must do without: usearch is not installed, they cannot be written, another command is making them, or the
    index lies in a store, from where copying them would take longer than an exact search.

    Raises:
        DamagedIndexError: The index or the graphs are not those written.
    """
    if is_remote(index.uri):
        return None
    try:
        import usearch.index  # noqa: F401
    except ImportError:
        say(
            f"warning: {missing_words('usearch')}; until then a search of so many tracks is exact and takes longer",
            file=sys.stderr,
            level="warning",
        )
        return None
    try:
        found = _opened(index)
    except DamagedIndexError as damage:
        say(f"warning: {damage}; the graphs are made again", file=sys.stderr, level="warning")
        remove_graphs(index.uri)
        found = None
    return found or _made(tags, index)


def _made(tags: Tags, index: Index) -> Graphs | None:
    folder = index_folder(tags)
    try:
        with sole_writer(folder, "index"):
            found = _opened(index)  # another command may have made them meanwhile
            if found is None:
                say(
                    f"{folder}: making graphs of {len(index.norms):,} tracks for approximate searches, once; --exact searches "
                    "without them",
                    file=sys.stderr,
                )
                write_graphs(index)
    except UserError as error:
        say(f"warning: {error}; this search is exact", file=sys.stderr, level="warning")
        return None
    except OSError as error:
        words = f"the graphs cannot be written there: {error.strerror or error}"
        say(f"warning: {folder}: {words}; this search is exact", file=sys.stderr, level="warning")
        return None
    return found or _opened(index)


def write_graphs(index: Index) -> None:
    """Write the graphs of an index, on all cores. The number of cores changes no byte.

    Raises:
        DamagedIndexError: The index is not the one written.
    """
    base, count = index.uri, len(index.norms)
    numbers = range(-(-count // PART_ROWS))
    bounds = [count * number // len(numbers) for number in (*numbers, len(numbers))]
    parts = [range(first, end) for first, end in itertools.pairwise(bounds)]
    done: list[int] = []
    remove_temporaries(parent(base))
    stop = threading.Event()
    with contextlib.ExitStack() as stack:
        paths = [stack.enter_context(spool(base + graph_ending(number))) for number in numbers]
        progress = stack.enter_context(Progress("graphs", count, "tracks"))
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(_cores()))
        stack.callback(stop.set)  # before the pool waits for its threads, should this one be interrupted
        made = [
            pool.submit(make_graph, index.vectors, rows, path, is_done=done.append, stop=stop)
            for rows, path in zip(parts, paths, strict=True)
        ]
        while concurrent.futures.wait(made, _SHOWN_SECONDS, concurrent.futures.FIRST_EXCEPTION).not_done:
            progress.update(sum(done))
            if any(one.done() and one.exception() for one in made):
                stop.set()
        for one in made:
            one.result()
        checksums = [_checksum(path) for path in paths]
        sizes = [os.path.getsize(path) for path in paths]
        for number, path in zip(numbers, paths, strict=True):
            publish(path, base + graph_ending(number))
    manifest = GraphsManifest(index.sha256, tuple(sizes), tuple(checksums))
    write_atomic(base + GRAPHS, manifest.to_bytes())


def _opened(index: Index) -> Graphs | None:
    """The graphs as they lie there; None if there are none. Raises DamagedIndexError."""
    base = index.uri
    if not exists(base + GRAPHS):
        return None
    try:
        fields = read_json(base + GRAPHS, "the manifest of graphs")
        manifest = GraphsManifest.from_dict(fields, where=base + GRAPHS)
        if manifest.index_sha256 != index.sha256:
            raise DamagedIndexError(f"{base}{GRAPHS}: the graphs of another index")
        written = [
            (base + graph_ending(number), size, crc32c)
            for number, (size, crc32c) in enumerate(zip(manifest.bytes, manifest.crc32c, strict=True))
        ]
        with concurrent.futures.ThreadPoolExecutor(_cores()) as pool:
            mapped = tuple(pool.map(lambda one: _mapped(*one), written))
        parts = tuple(empty_graph(index.vectors.values.shape[1]) for _ in mapped)
        for part, file in zip(parts, mapped, strict=True):
            part.view(file)
    except DamagedIndexError:
        raise
    except (DatasetError, FileNotFoundError, ValueError, RuntimeError) as error:  # the last is what usearch raises
        raise DamagedIndexError(str(error)) from error
    return Graphs(parts, mapped)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _mapped(uri: str, size: int, crc32c: str) -> npt.NDArray[np.uint8]:
    """A file, mapped. Its bytes are checked through `read`, so that they do not count as this process's memory."""
    path = local_path(uri)
    mapped = np.memmap(path, np.uint8, mode="r").view(np.ndarray)
    if len(mapped) != size or _checksum(path) != crc32c:
        raise DamagedIndexError(f"{uri}: its bytes are not those written")
    return mapped


def _checksum(path: str) -> str:
    """CRC32C of a file, eight hex digits."""
    crc = 0
    with open(path, "rb", buffering=0) as file:
        while block := file.read(_CHECKED):
            crc = google_crc32c.extend(crc, block)
    return f"{crc:08x}"
