from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from schemas.console.errors import TagscaleError, UserError
from training.fit.failures import explained, not_finite, require_defined, require_divisible, require_fitting_patch


def _out_of_memory() -> tf.errors.OpError:
    with pytest.raises(tf.errors.ResourceExhaustedError) as raised:
        tf.zeros([1 << 30, 1 << 12])
    return raised.value


@pytest.mark.parametrize(
    ("batch_size", "replicas", "advice"),
    [(32, 1, "try --batch-size 16; "), (32, 3, "try --batch-size 15; "), (2, 2, "try shorter patches")],
)
def test_out_of_memory_says_which_batch_size_to_try(batch_size: int, replicas: int, advice: str) -> None:
    error = explained(_out_of_memory(), batch_size, replicas, 1)
    assert isinstance(error, UserError)
    assert advice in str(error)


def test_another_error_of_a_step_keeps_tensorflows_words() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        tf.linalg.matmul(tf.zeros([1, 2]), tf.zeros([1, 2]))
    assert "Matrix size-incompatible" in str(explained(raised.value, 32, 1, 1))


def test_a_batch_of_many_tracks_is_named_in_part() -> None:
    error = not_finite(float("nan"), 2, 6, [f"track-{number}" for number in range(100)])
    assert isinstance(error, TagscaleError)
    assert "epoch 3, step 7: the loss is nan, with the tracks track-0, track-1" in str(error)
    assert "track-63 and 36 more; look at these" in str(error)


def test_replicas_get_equal_shares_or_sizes_that_would_fit() -> None:
    require_divisible(32, 4, 1000, 32)
    with pytest.raises(UserError, match="expected a multiple of the 8 replicas; 24 or 32 would be one"):
        require_divisible(30, 8, 1000, 34)
    with pytest.raises(UserError, match="expected a multiple of the 8 replicas; 8 would be one"):
        require_divisible(5, 8, 1000, 200)
    with pytest.raises(UserError, match="multiple of the 4 replicas times the 3 patches per track; 24 or 36 would be"):
        require_divisible(32, 4, 1000, 100, 3)
    with pytest.raises(UserError, match="9 training tracks make 2 batches, some of which have fewer tracks than the 8"):
        require_divisible(8, 8, 9, 2)


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
