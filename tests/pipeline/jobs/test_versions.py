"""The versions on which the bytes of a shard depend are recorded."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from pipeline.jobs.versions import check_versions, cpu_type, feature_versions, logmel_versions
from schemas.console.errors import UserError


def test_decoders_numerics_and_the_cpu_type_are_recorded() -> None:
    versions = feature_versions("auto")
    assert versions["numpy"] == np.__version__
    assert versions["libsndfile"] == soundfile.__libsndfile_version__
    assert versions["decoder"] == "auto"
    assert versions["cpu"] == cpu_type()
    assert {"av", "protobuf", "scipy", "soundfile", "soxr"} <= set(versions)
    assert list(versions) == sorted(versions)


def test_log_mel_alone_depends_on_numerics_and_no_decoder() -> None:
    assert set(logmel_versions()) == {"numpy", "protobuf", "scipy", "cpu"}


def test_other_versions_are_refused_with_each_difference_unless_they_are_wanted() -> None:
    begun, here = {"numpy": "1", "soxr": "2", "cpu": "x"}, {"numpy": "1", "soxr": "3", "av": "9", "cpu": "x"}
    with pytest.raises(UserError, match=r"data: gen-000 was begun .*\(av absent -> 9, soxr 2 -> 3\)"):
        check_versions("data: gen-000", begun, here, allow_others=False)
    check_versions("data: gen-000", begun, here, allow_others=True)
    check_versions("data: gen-000", begun, dict(reversed(begun.items())), allow_others=False)
