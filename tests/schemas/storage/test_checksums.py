from __future__ import annotations

import json

import pytest

from schemas.storage.checksums import CHECKSUM, with_checksum, without_checksum
from schemas.storage.json_object import parse_json_object
from tests.flipped_bits import flipped

FIELDS = {"format": 1, "name": "Blå 音楽", "shares": [0.1, 1, None], "of": {"2": True, "10": "x"}}


def test_fields_come_back_as_they_were_in_whatever_order_and_spacing() -> None:
    sealed = with_checksum(FIELDS)
    assert list(sealed) == [*FIELDS, CHECKSUM]
    for text in (
        json.dumps(sealed),
        json.dumps(dict(reversed(sealed.items())), indent=3),
        json.dumps(sealed, ensure_ascii=False),
    ):
        assert parse_json_object(text) == FIELDS
    assert with_checksum(sealed) == sealed


def test_fields_without_a_checksum_come_back_as_they_are() -> None:
    assert without_checksum(FIELDS) == FIELDS
    assert without_checksum({"sha256": "0" * 64}) == {"sha256": "0" * 64}


def test_names_that_are_no_utf_8_and_keys_that_are_numbers_have_a_checksum_too() -> None:
    fields = {"dataset": "/data/\udcff", "counts": {10: 1, 2: 2}}
    assert parse_json_object(json.dumps(with_checksum(fields)))["dataset"] == fields["dataset"]


def test_every_flipped_bit_of_the_text_is_refused_or_changes_nothing() -> None:
    data = json.dumps(with_checksum(FIELDS), ensure_ascii=False).encode()
    refused = 0
    for place in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << place % 8
        try:
            assert parse_json_object(bytes(damaged)) == FIELDS
        except ValueError:
            refused += 1
    assert refused == 8 * len(data)


def test_a_flip_in_the_name_of_the_checksum_does_not_make_it_absent() -> None:
    data = json.dumps(with_checksum(FIELDS)).encode()
    damaged = data.replace(CHECKSUM.encode(), b"content_sha254")
    with pytest.raises(ValueError, match="its content_sha256 is called 'content_sha254'"):
        parse_json_object(damaged)


def test_the_checksum_of_a_newer_format_is_not_looked_at() -> None:
    newer = json.dumps({**with_checksum(FIELDS), "format": 2})
    assert parse_json_object(newer, known_format=1)["format"] == 2
    with pytest.raises(ValueError, match="changed by hand"):
        parse_json_object(newer)


def test_what_is_nested_too_deeply_is_no_object() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json_object("[" * 200_000)


def test_the_flips_of_a_small_file_are_all_its_bits() -> None:
    assert len({*flipped(b"abc", 1)}) == 24
    assert len({*flipped(b"abc" * 50, 7)}) == 7
