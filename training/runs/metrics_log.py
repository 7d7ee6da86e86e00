"""metrics.jsonl, with a line per epoch or validation, and metrics.sha256 beside it, with a checksum of each line.

The checksums are in a file of their own, so that lines can be compared except for their times. There may be more
checksums than lines: a process may be killed before it writes a line, and a resumed run writes lines again.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

from schemas.console.errors import DatasetError
from schemas.console.terminal import say
from schemas.storage.files import exists, join, read_bytes, write_atomic
from schemas.storage.json_object import parse_json_object

METRICS_NAME = "metrics.jsonl"
_CHECKSUMS_NAME = "metrics.sha256"
_ADVICE = "remove the line, and the run continues without its figures"


class MetricsLog:
    """The epochs, or the validations, of a run.

    Args:
        root: the run's folder.
    """

    def __init__(self, root: str) -> None:
        self.uri = join(root, METRICS_NAME)
        self._checksums = join(root, _CHECKSUMS_NAME)

    def read(self) -> list[dict[str, Any]]:
        """The fields of each line; raises DatasetError if a line is damaged."""
        lines, cut = self._lines()
        if cut:
            raise DatasetError(
                f"{self.uri}: expected a JSON object a line, received {cut[:60]!r} without an end as the last; {_ADVICE}"
            )
        return self._epochs(lines)

    def keep(self, epochs: int, step: int | None = None) -> None:
        """Remove the lines after a position, which a resumed run writes again, and a last line that was cut.

        Args:
            epochs: number of finished epochs.
            step: number of steps taken when the last line was added; None to keep the lines of finished epochs.

        Raises:
            DatasetError: another line is damaged.
        """
        if not exists(self.uri):
            return
        lines, cut = self._lines()
        if cut:
            say(f"warning: {self.uri}: its last line was cut and is left out", file=sys.stderr)
        kept = [
            line
            for line, fields in zip(lines, self._epochs(lines), strict=True)
            if (fields["epoch"] <= epochs if step is None else fields.get("step", 0) <= step)
        ]
        write_atomic(self.uri, b"".join(kept))
        if exists(self._checksums):
            write_atomic(self._checksums, b"".join(map(_checksum, kept)))

    def add(self, fields: dict[str, Any]) -> None:
        """Append a line."""
        lines, _ = self._lines()
        before = read_bytes(self._checksums) if exists(self._checksums) else b"".join(map(_checksum, lines))
        line = json.dumps(fields, sort_keys=True).encode() + b"\n"
        write_atomic(self._checksums, before + _checksum(line))  # first, so that each line has a checksum at any time
        write_atomic(self.uri, b"".join([*lines, line]))

    def _lines(self) -> tuple[list[bytes], bytes]:
        """The lines with their line ends, and what follows the last end: a line that was cut."""
        *lines, cut = (read_bytes(self.uri) if exists(self.uri) else b"").split(b"\n")
        return [line + b"\n" for line in lines], cut

    def _epochs(self, lines: list[bytes]) -> list[dict[str, Any]]:
        known = None  # a run of an earlier version has no checksums
        if exists(self._checksums):
            known = set(read_bytes(self._checksums).splitlines(keepends=True))
        found = []
        for number, line in enumerate(lines, 1):
            try:
                fields = parse_json_object(line)
                if isinstance(fields.get("epoch"), bool) or not isinstance(fields.get("epoch"), int | float):
                    raise ValueError(f"its epoch is {fields.get('epoch')!r}")
            except ValueError as error:
                raise DatasetError(
                    f"{self.uri}: line {number}: expected a JSON object with an epoch, received {line[:60]!r}; {_ADVICE}"
                ) from error
            if known is not None and _checksum(line) not in known:
                raise DatasetError(
                    f"{self.uri}: line {number}: expected a line whose checksum is in {_CHECKSUMS_NAME}, so one of the two "
                    f"files was damaged; {_ADVICE}, or remove {_CHECKSUMS_NAME} if the line is right"
                )
            found.append(fields)
        return found


def _checksum(line: bytes) -> bytes:
    return hashlib.sha256(line).hexdigest().encode() + b"\n"
