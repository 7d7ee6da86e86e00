"""The table of `tag --csv`: a row for each file, with its scores or with the reason why it has none."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterator, Sequence

from pipeline.audio.file_endings import has_audio_ending
from schemas.console.errors import UserError
from schemas.storage.files import is_folder, parent, publish, spool
from schemas.storage.output_folders import require_writable
from schemas.user_files.spreadsheet import text_cell
from training.serving.score_csv import header_cells, number_cells, open_csv
from training.serving.tag import TaggedFile

COLUMNS = ("file", "seconds", "problem", "assigned")  # before a column for each tag


def require_table_place(uri: str) -> None:
    """Check, before hours of work, that a table may be written to a file.

    Raises:
        UserError: it is a folder, lies in one that cannot be written in, or has the ending of an audio file, which is
            more likely one of the files to tag than a name for their table.
    """
    if has_audio_ending(uri):
        raise UserError(
            f"--csv: expected a file to write the table to, received the audio file {uri}; name it …/NAME.csv"
        )
    if is_folder(uri):
        raise UserError(f"--csv: expected a file to write the table to, found the folder {uri}; name it {uri}/NAME.csv")
    require_writable(parent(uri))


@contextlib.contextmanager
def tag_table(uri: str, tags: Sequence[str]) -> Iterator[Callable[[TaggedFile], None]]:
    """A CSV file, into which the files are written as they are tagged; it appears whole at the end.

    If the work in the body ends sooner, as it does by ^C, the file appears with the rows that there are. Without any, a
    file that was there before stays as it is. In a store, an upload after a stop has two seconds.

    Args:
        uri: the CSV file.
        tags: the tags in the model's order.

    Yields:
        A function that adds the row of a file.
    """
    rows = 0
    with spool(uri) as path, open_csv(path) as text:
        writer = csv.writer(text)
        writer.writerow(header_cells(COLUMNS, tags))

        def add(one: TaggedFile) -> None:
            nonlocal rows
            first = [text_cell(one.file), *number_cells([one.seconds]), text_cell(one.problem or "")]
            first.append(text_cell("|".join(one.assigned or ())))
            scores = number_cells(one.scores[tag] for tag in tags) if one.scores else [""] * len(tags)
            writer.writerow([*first, *scores])
            text.flush()  # so that a killed process leaves them in the temporary file
            rows += 1

        try:
            yield add
        finally:
            if rows:
                publish(path, uri)
