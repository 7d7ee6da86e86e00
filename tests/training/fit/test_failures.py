from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from schemas.console.errors import TagscaleError, UserError
from training.config import TrainConfig
from training.fit.failures import explained, not_finite, require_defined, require_divisible, require_fitting_patch


@pytest.fixture(scope="module")
def out_of_memory() -> tf.errors.OpError:
    with pytest.raises(tf.errors.ResourceExhaustedError) as raised:
        tf.zeros([1 << 30, 1 << 12])
    return raised.value


def _config(batch_size: int, **fields: int) -> TrainConfig:
    return TrainConfig("data", "mine", "spectrogram", batch_size=batch_size, **fields)


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "replicas", "advice"),
    [
        (32, 1, 1, "try --batch-size 16, or --accumulate 2 with the same batch; a run"),
        (32, 1, 3, "try --batch-size 15; a run"),
        (32, 4, 2, "try --batch-size 16, or --accumulate 8 with the same batch; a run"),
        (32, 32, 1, "try shorter patches (--patch-seconds) or a smaller model; a run"),
        (2, 1, 2, "try shorter patches"),
    ],
)
def test_out_of_memory_says_what_to_try(
    batch_size: int, accumulate: int, replicas: int, advice: str, out_of_memory: tf.errors.OpError
) -> None:
    error = explained(out_of_memory, _config(batch_size, accumulate=accumulate), replicas, 1)
    assert isinstance(error, UserError)
    assert advice in str(error)


def test_another_error_of_a_step_keeps_tensorflows_words() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        tf.linalg.matmul(tf.zeros([1, 2]), tf.zeros([1, 2]))
    assert "Matrix size-incompatible" in str(explained(raised.value, _config(32), 1, 1))


def test_a_batch_of_many_tracks_is_named_in_part() -> None:
    error = not_finite(float("nan"), 2, 6, [f"track-{number}" for number in range(100)])
    assert isinstance(error, TagscaleError)
    assert "epoch 3, step 7: the loss is nan, with the tracks track-0, track-1" in str(error)
    assert "track-63 and 36 more; look at these" in str(error)


def test_replicas_get_equal_shares_or_sizes_that_would_fit() -> None:
    require_divisible(_config(32), 4, 1000, 32)
    with pytest.raises(UserError, match="expected a multiple of the 8 replicas; 24 or 32 would be one"):
        require_divisible(_config(30), 8, 1000, 34)
    with pytest.raises(UserError, match="expected a multiple of the 8 replicas; 8 would be one"):
        require_divisible(_config(5), 8, 1000, 200)
    with pytest.raises(UserError, match="multiple of the 4 replicas times the 3 patches per track; 24 or 36 would be"):
        require_divisible(_config(33, patches_per_track=3), 4, 1000, 100)
    with pytest.raises(UserError, match="9 training tracks make 2 batches, some of which have fewer tracks than the 8"):
        require_divisible(_config(8), 8, 9, 2)


def test_no_part_of_an_accumulated_batch_is_empty() -> None:
    require_divisible(_config(32, accumulate=4), 4, 1000, 32)
    with pytest.raises(UserError, match="of the 4 replicas times the 16 parts of --accumulate; 64 would be one"):
        require_divisible(_config(32, accumulate=16), 4, 1000, 32)
    with pytest.raises(
        UserError, match="--accumulate 8: 31 training tracks make 2 batches, of some of which a replica"
    ):
        require_divisible(_config(16, accumulate=8), 2, 31, 2)
    require_divisible(_config(32, accumulate=4, patches_per_track=4), 1, 9, 2)


def test_a_patch_longer_than_every_track_is_refused_with_what_would_fit() -> None:
    require_fitting_patch(3.0, 188, 188)
    require_fitting_patch(3.0, 188, 0)
    with pytest.raises(UserError, match="--patch-seconds 30: expected at most the longest training track, 15.00 s"):
        require_fitting_patch(30.0, 480_000, 240_000)


def test_validation_without_a_known_label_is_refused_whatever_chooses_the_best() -> None:
    unknown = np.full((3, 2), np.nan, np.float32)
    for select_by in ("loss", "roc_auc"):
        with pytest.raises(UserError, match="the 3 validation tracks have no known label"):
            require_defined(select_by, unknown, 0.5)
    unknown[0, 0] = 1
    require_defined("loss", unknown, 0.5)
