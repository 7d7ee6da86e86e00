"""The models that can be imported, and what their authors publish about them."""

from __future__ import annotations

import dataclasses
from typing import Literal

PackageName = Literal["musicnn"]
PACKAGES: tuple[PackageName, ...] = ("musicnn",)
FRAMES = 187  # of a patch: 3 s, as the package cuts them
HOP_LENGTH = 256
SAMPLE_RATE = 16_000
# Seconds that have as many frames: the first is centred on the beginning.
PATCH_SECONDS = (FRAMES - 1) * HOP_LENGTH / SAMPLE_RATE

SOURCE = "the Python package musicnn (Pons and Serra, arXiv:1909.06654)"
LICENCE = "ISC"
NOTICE = """\
Copyright (c) Music Technology Group, Universitat Pompeu Fabra 2019. Code developed by Jordi Pons (www.jordipons.me).

Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided \
that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED \
WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR \
CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, \
NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.
"""


@dataclasses.dataclass(frozen=True)
class PublishedModel:
    """A model of the package.

    Attributes:
        frontend: its network.
        tags: name of its list of tags in the package's configuration.py.
        data: what it was trained on.
        roc_auc: macro ROC-AUC on the authors' test split, from the experiment.result beside its checkpoint.
        pr_auc: the same for PR-AUC.
    """

    frontend: Literal["musicnn", "vgg"]
    tags: str
    data: str
    roc_auc: float
    pr_auc: float


MODELS: dict[str, PublishedModel] = {
    "MTT_musicnn": PublishedModel("musicnn", "MTT_LABELS", "MagnaTagATune", 0.9067, 0.3831),
    "MTT_vgg": PublishedModel("vgg", "MTT_LABELS", "MagnaTagATune", 0.9030, 0.3823),
    "MSD_musicnn": PublishedModel("musicnn", "MSD_LABELS", "the Million Song Dataset", 0.8802, 0.2891),
    "MSD_vgg": PublishedModel("vgg", "MSD_LABELS", "the Million Song Dataset", 0.8768, 0.2819),
}
MODEL_NAMES = tuple(MODELS)
