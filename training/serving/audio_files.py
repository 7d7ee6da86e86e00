"""Find the audio files that a command is asked to tag: files as they are named, and those in folders by their endings."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from pipeline.audio.file_endings import has_audio_ending
from schemas.console.errors import UserError
from schemas.console.terminal import say
from schemas.storage.files import files_below, is_folder, is_remote, local_path


def audio_files(inputs: Sequence[str]) -> list[str]:
    """The files to tag, in the order of the inputs, those of a folder sorted by their paths.

    A file that is named itself is returned whatever its ending, even if it is missing, so that tagging it says why it
    cannot be read. In a folder, hidden files and folders are left out. Links to folders are followed, and each folder is
    searched once, so that links in a circle end.

    Args:
        inputs: paths or URIs of files and folders.

    Raises:
        UserError: a folder cannot be read or has no audio file.
    """
    return [file for one in inputs for file in (_files_in(one) if _is_folder(one) else [one])]


def _is_folder(uri: str) -> bool:
    try:
        return is_folder(uri)
    except Exception:  # each store raises errors of its own; tagging the file then says what is wrong with it
        return False


def _files_in(folder: str) -> list[str]:
    found = sorted(_in_store(folder) if is_remote(folder) else _on_disk(local_path(folder)))
    if not found:
        raise UserError(
            f"{folder}: expected audio files in this folder or below it, found none that ends like one, as .mp3 or .flac; "
            "name another folder, or the files themselves if their endings are others"
        )
    return found


def _in_store(folder: str) -> list[str]:
    place = f"{folder.split('://', 1)[1].strip('/')}/"
    return [
        uri
        for uri in files_below(folder)
        if has_audio_ending(uri) and not any(map(_is_hidden, uri.partition(place)[2].split("/")))
    ]


def _on_disk(folder: str) -> list[str]:
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        try:
            facts = os.stat(place)
            if (facts.st_dev, facts.st_ino) in seen:
                continue
            seen.add((facts.st_dev, facts.st_ino))
            with os.scandir(place) as listed:
                # In the order of their names, so that it never depends on the disk by which of two links a folder is found.
                entries = sorted((one for one in listed if not _is_hidden(one.name)), key=lambda one: one.name)
        except OSError as error:
            if place == folder:
                raise UserError(f"{folder}: cannot be read: {error.strerror}; give this user the right to") from error
            say(f"warning: {place}: cannot be read: {error.strerror}; its files are left out", file=sys.stderr)
            continue
        folders = [one.path for one in entries if _leads_to_folder(one)]
        found += [one.path for one in entries if has_audio_ending(one.name) and not _leads_to_folder(one)]
        waiting += reversed(folders)
    return found


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: tagging it says so
        return False


def _is_hidden(name: str) -> bool:
    return name.startswith(".")
