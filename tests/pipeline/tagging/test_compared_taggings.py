"""What `tag` wrote with two models is compared as it lies there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from pipeline.tagging.tag import tag
from tests.pipeline.tagging.conftest import ONE, TAGS
from training.shipping_diff.compare_tags import compare_tags


def _frame(folder: Path) -> pd.DataFrame:
    table = pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("scores/*/*.parquet"))])
    scores = np.stack(table["scores"].to_list()).astype(float)
    return pd.DataFrame(scores, columns=list(TAGS), index=pd.Index(table["track_id"])).sort_index()


@pytest.mark.slow
def test_two_models_on_one_catalog(small_corpus, tagged: Path, waveform_model: Path, tmp_path: Path) -> None:
    tag(str(waveform_model), str(tmp_path / "new"), catalog=small_corpus.catalog, options=ONE)
    old, new = _frame(tagged), _frame(tmp_path / "new")
    found = compare_tags(str(tagged), str(tmp_path / "new"))
    assert found.tracks == len(old) == 24
    assert [one.flips for one in found.tags] == ((old >= 0.5) != (new >= 0.5)).sum().tolist()
    assert found.flips > 0
    assert [one.spearman for one in found.tags] == pytest.approx(
        [spearmanr(old[name], new[name]).statistic for name in TAGS]
    )
    assert (found.old.features.split("-")[0], found.new.features.split("-")[0]) == ("logmel", "waveform")
