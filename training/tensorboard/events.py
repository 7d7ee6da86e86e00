"""Event files as TensorBoard reads them: each point has a series, a position on its axis and a value."""

from __future__ import annotations

import time
from collections.abc import Iterable
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.pr_curve import metadata as curve_metadata
from tensorboard.plugins.scalar import metadata as scalar_metadata
from tensorboard.util.tensor_util import make_tensor_proto

from schemas.tfrecord import frame, read_records

_FILE_VERSION = "brain.Event:2"  # every event file begins with it


def scalar_point(series: str, step: int, value: float) -> Event:
    """A point of a scalar series."""
    about = scalar_metadata.create_summary_metadata(display_name=None, description=None)
    return _point(series, step, np.float32(value), about)


def curve_point(series: str, step: int, counts: npt.NDArray[np.float32], description: str) -> Event:
    """A precision-recall curve.

    Args:
        series: name of the series.
        step: position on the axis.
        counts: float32 [6, thresholds] as `pr_curves.curve_counts` returns them.
        description: text shown beside the curve.
    """
    about = curve_metadata.create_summary_metadata(
        display_name=series, description=description, num_thresholds=counts.shape[1]
    )
    return _point(series, step, counts, about)


def event_file(points: Iterable[Event]) -> bytes:
    """The bytes of an event file."""
    start = Event(wall_time=time.time(), file_version=_FILE_VERSION)
    return b"".join(frame(event.SerializeToString(deterministic=True)) for event in (start, *points))


def points_of(data: bytes, *, where: str) -> list[Event]:
    """The points of an event file; raises DatasetError if it is damaged."""
    events = [Event.FromString(payload) for _, payload in read_records(BytesIO(data), where=where)]
    return [event for event in events if event.HasField("summary")]


def place_of(point: Event) -> tuple[str, int]:
    """Series and step of a point; no two points share both."""
    return point.summary.value[0].tag, point.step


def _point(series: str, step: int, value: Any, about: SummaryMetadata) -> Event:
    summary = Summary(value=[Summary.Value(tag=series, metadata=about, tensor=make_tensor_proto(value))])
    # TensorBoard has the time as a third axis; like all logs, these files are exempt from the promise of equal bytes.
    return Event(wall_time=time.time(), step=step, summary=summary)
