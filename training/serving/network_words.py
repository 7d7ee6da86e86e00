"""What a model card says about a network: its name, and the publication that it comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from training.models.config import Frontend

_END_TO_END = '"End-to-end learning for music audio tagging at scale" (ISMIR 2018, arXiv:1711.02520)'
_MUSICNN = (
    '"musicnn: pre-trained convolutional neural networks for music audio tagging" (LBD, ISMIR 2019, arXiv:1909.06654)'
)
_WORDS: dict[Frontend, str] = {
    "spectrogram": f"the spectrogram front-end over the shared back-end of Pons et al., {_END_TO_END}",
    "waveform": f"the waveform front-end over the shared back-end of Pons et al., {_END_TO_END}",
    "musicnn": f"the musicnn network of Pons and Serra, {_MUSICNN}",
    "vgg": f"the VGG network in the library of Pons and Serra, {_MUSICNN}, after Choi et al. (arXiv:1606.00298)",
    "short-chunk": (
        'the short-chunk CNN with residual connections of Won et al., "Evaluation of CNN-based automatic music tagging '
        'models" (SMC 2020, arXiv:2006.00751)'
    ),
}


def network_words(frontend: Frontend) -> str:
    """A front-end's network and its source, as a noun phrase that begins with `the`."""
    return _WORDS[frontend]


def networks_counted(frontends: Sequence[Frontend]) -> list[tuple[int, str]]:
    """How many members of an ensemble have each network, and its words, in the order in which they first occur."""
    return [(count, network_words(frontend)) for frontend, count in Counter(frontends).items()]
