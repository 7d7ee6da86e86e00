"""What decides the bytes of a shard is recorded."""

from __future__ import annotations

import numpy as np
import soundfile

from pipeline.versions import cpu_type, feature_versions


def test_decoders_numerics_and_the_cpu_type_are_recorded() -> None:
    versions = feature_versions("auto")
    assert versions["numpy"] == np.__version__
    assert versions["libsndfile"] == soundfile.__libsndfile_version__
    assert versions["decoder"] == "auto"
    assert versions["cpu"] == cpu_type()
    assert {"av", "protobuf", "scipy", "soundfile", "soxr"} <= set(versions)
    assert list(versions) == sorted(versions)
