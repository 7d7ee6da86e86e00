from __future__ import annotations

import librosa
import numpy as np
import pytest

from training.config import TrainConfig
from training.data.augmentation import NO_AUGMENTATION, Augmentation, louder, mixed_targets

NEEDED = {"dataset": "data", "label_set": "mine"}


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_nothing_is_done_unless_it_is_asked_for() -> None:
    for frontend in ("spectrogram", "waveform"):
        assert not Augmentation.of(TrainConfig(frontend=frontend, patch_seconds=3.0, **NEEDED)).is_on
    assert not NO_AUGMENTATION.is_on
    assert Augmentation.of(TrainConfig(frontend="waveform", gain_db=6.0, **NEEDED)).is_on


def test_masks_put_the_mean_into_spans_no_longer_than_asked_and_leave_the_rest() -> None:
    augmentation = Augmentation(time_masks=1, time_mask_frames=7, frequency_masks=1, frequency_mask_bands=5)
    widths = set()
    for seed in range(200):
        patch = _rng(1).normal(size=(40, 20)).astype(np.float16)
        masked = patch.copy()
        augmentation.mask(masked, _rng(seed))
        changed = masked != patch
        frames, bands = changed.all(axis=1).sum(), changed.all(axis=0).sum()
        assert np.array_equal(changed, changed.all(axis=1)[:, None] | changed.all(axis=0)[None, :])
        assert (masked[changed] == patch.mean(dtype=np.float32).astype(np.float16)).all()
        widths.add((frames, bands))
    assert {frames for frames, _ in widths} == set(range(8))
    assert {bands for _, bands in widths} == set(range(6))


def test_a_mask_longer_than_the_patch_may_cover_it_and_no_more() -> None:
    patch = np.zeros((4, 6), np.float16)
    Augmentation(time_masks=3, time_mask_frames=99, frequency_masks=3, frequency_mask_bands=99).mask(patch, _rng(0))


def test_gain_stays_within_its_decibels_and_polarity_turns_half() -> None:
    scales = np.array([Augmentation(gain_db=6.0, flip_polarity=True).scale(_rng(seed)) for seed in range(400)])
    decibels = 20 * np.log10(np.abs(scales))
    assert -6 <= decibels.min() < -5.5
    assert 5.5 < decibels.max() <= 6
    assert 0.4 < np.mean(scales < 0) < 0.6
    assert Augmentation().scale(_rng(0)) == 1.0


def test_a_patch_moves_by_each_number_of_bands_up_to_the_largest_and_keeps_its_outermost_band() -> None:
    patch = np.tile(np.arange(20, dtype=np.float16), (4, 1))
    moved = set()
    for seed in range(100):
        shifted = patch.copy()
        Augmentation(pitch_shift_bands=3).shift(shifted, _rng(seed))
        bands = int(patch[0, 10] - shifted[0, 10])
        assert np.array_equal(shifted[0], np.clip(np.arange(20) - bands, 0, 19))
        moved.add(bands)
    assert moved == set(range(-3, 4))


def test_a_louder_logmel_is_that_of_the_louder_waveform() -> None:
    waveforms = _rng(0).normal(scale=0.05, size=(3, 4096)).astype(np.float32)
    scales = np.array([0.5, -1.0, 2.0], np.float32)

    def logmel(waveform: np.ndarray) -> np.ndarray:
        mel = librosa.feature.melspectrogram(y=waveform, sr=16_000, n_fft=512, hop_length=256, n_mels=96)
        return np.log10(1 + 10_000 * mel.T)

    plain, scaled = (np.stack([logmel(row) for row in rows]) for rows in (waveforms, waveforms * scales[:, None]))
    assert np.abs(plain - scaled).max() > 0.3
    np.testing.assert_allclose(louder(plain, scales), scaled, atol=1e-4)


def test_mixed_targets_give_the_mixed_loss() -> None:
    """The loss is linear in its targets, so a pair's loss against the mean is the mean of its losses."""
    rng = _rng(0)
    targets, logits = rng.integers(0, 2, (5, 3)).astype(np.float32), rng.normal(size=(5, 3))
    weights = rng.integers(0, 2, (5, 3)).astype(np.float32)
    shares = rng.uniform(size=5).astype(np.float32)

    def loss(targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return weights * (np.log1p(np.exp(logits)) - targets * logits)

    mixed, mixed_weights = mixed_targets(targets * weights, weights, shares)
    own, other = loss(targets, weights), loss(np.roll(targets, 1, 0), np.roll(weights, 1, 0))
    expected = shares[:, None] * own + (1 - shares[:, None]) * other
    assert np.allclose(loss(mixed, mixed_weights), expected, atol=1e-6)
    assert mixed[mixed_weights == 0] == pytest.approx(0)


def test_the_share_of_a_pair_is_beta_distributed() -> None:
    shares = np.array([Augmentation(mixup=0.2).share(_rng(seed)) for seed in range(2000)])
    assert shares.mean() == pytest.approx(0.5, abs=0.03)
    assert shares.var() == pytest.approx(1 / (4 * (2 * 0.2 + 1)), rel=0.1)
    assert Augmentation().share(_rng(0)) == 1.0
