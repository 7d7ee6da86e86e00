"""Nested shares of a training split, in whole groups: a smaller catalog has fewer artists, not fewer tracks of each."""

from __future__ import annotations

import hashlib
import heapq
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.console.errors import UserError


class ShareTooSmall(UserError):  # noqa: N818 - the name says what it is, not only that it is an error
    """A share holds no group.

    Args:
        problem: what was expected and what was received.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(f"--train-share: {problem}")
        self.problem = problem

    def __reduce__(self) -> tuple[Any, ...]:  # the error may be raised in another process
        return ShareTooSmall, (self.problem,)


def nested_share(groups: pa.Array, share: float, *, where: str) -> npt.NDArray[np.bool_]:
    """Which tracks belong to a share: the same for every seed and front-end, and a larger share includes a smaller one.

    Groups have an order that does not depend on the share (`group_order`), and a share consists of the first groups, as
    many as come nearest to its number of tracks.

    Args:
        groups: string [tracks], the group of each track.
        share: share of the tracks, in (0, 1].
        where: the label version, for the error.

    Returns:
        bool [tracks].

    Raises:
        ShareTooSmall: the share is too small for any group.
    """
    encoded = groups.dictionary_encode()
    member = encoded.indices.to_numpy().astype(np.int64)
    sizes = np.bincount(member)
    order = group_order(encoded.dictionary.to_pylist(), sizes)
    held = np.cumsum(sizes[order])
    wanted = share * len(member)
    count = int(np.argmin(np.abs(np.concatenate([[0], held]) - wanted)))
    if count == 0:
        raise ShareTooSmall(
            f"expected a share that holds a group of {where}, received {share:g}: {wanted:.2g} of "
            f"{len(member):,} training tracks in {len(sizes):,} groups, and the first group has {held[0]:,}; use at least "
            f"{held[0] / len(member):.2g}"
        )
    taken = np.zeros(len(sizes), bool)
    taken[order[:count]] = True
    kept: npt.NDArray[np.bool_] = taken[member]
    return kept


def group_order(names: list[Any], sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Groups in the order in which they join: by the SHA-256 of their name, but with large groups delayed.

    A group of more tracks than the mean, such as "Various Artists", waits until as many tracks precede it, because
    otherwise a small share could not be met.

    Args:
        names: names of the groups.
        sizes: number of tracks in each, [groups].

    Returns:
        int64 [groups], every group once.
    """
    by_hash = sorted(range(len(names)), key=lambda number: hashlib.sha256(names[number].encode()).digest())
    at_once = float(sizes.mean())
    order: list[int] = []
    waiting: list[tuple[int, int, int]] = []  # size, place by hash, group
    before = 0
    for place, group in enumerate(by_hash):
        if sizes[group] > max(at_once, before):
            heapq.heappush(waiting, (int(sizes[group]), place, group))
            continue
        order.append(group)
        before += int(sizes[group])
        while waiting and waiting[0][0] <= before:
            size, _, other = heapq.heappop(waiting)
            order.append(other)
            before += size
    order += [group for _, _, group in sorted(waiting)]
    return np.array(order, np.int64)
