"""Causes are typed, and messages reveal nothing about the machine."""

from __future__ import annotations

import pytest

from pipeline.audio.causes import Cause, decoder_words


@pytest.mark.parametrize("path", ["/data/it's here/a.mp3", "/data/音楽 1.mp3", 'C "quoted".ogg'])
def test_a_message_holds_neither_path_nor_addresses_nor_line_breaks(path: str) -> None:
    for spelled in (path, repr(path), f"'{path}'"):
        words = decoder_words(RuntimeError(f"Error opening {spelled}:\n  [mp3 @ 0x55d0c8a3e2c0] bad header"), path)
        assert words == "Error opening the file: [mp3 @ 0x…] bad header"


def test_an_error_without_words_gives_its_name() -> None:
    assert decoder_words(MemoryError(), "a.mp3") == "MemoryError"


def test_only_causes_that_may_pass_are_transient() -> None:
    may_pass = {Cause.NOT_FOUND, Cause.IO_ERROR, Cause.DECODER_TIMEOUT, Cause.INFERENCE_TIMEOUT}
    assert {cause for cause in Cause if cause.transient} == may_pass
