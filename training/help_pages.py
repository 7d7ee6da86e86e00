"""The help of the training stage's commands: their options in groups, and an example of each."""

from __future__ import annotations

from schemas.console.commands import HelpPage
from training.config_options import option_groups

STUDYS_OWN = ("frontend", "train_share", "init_from")  # fields that a study chooses itself
_TRAIN, _STUDY = option_groups(), option_groups(without=STUDYS_OWN)

PAGES = {
    "train": HelpPage(
        "--dataset data --label-set mine --frontend spectrogram --out run",
        {
            "Run": ("--out", *_TRAIN["Run"]),
            "Data": ("--recipe", "--config", *_TRAIN["Data"], "--stage"),
            **{title: options for title, options in _TRAIN.items() if title not in ("Run", "Data")},
        },
    ),
    "study": HelpPage(
        "--dataset data --label-set mine --shares 1/4,1 --seeds 3 --out study",
        {
            "Study": ("--out", "--shares", "--seeds", "--frontends"),
            **_STUDY,
            "Data": ("--recipe", "--config", *_STUDY["Data"], "--stage"),
        },
    ),
    "evaluate": HelpPage(
        "--run run --split test --baseline",
        {"Input": ("--run", "--split", "--dataset", "--label-set", "--stage"), "Comparison": ("--baseline",)},
    ),
    "compare": HelpPage(
        "runs/a runs/b --max-regression 0.005",
        {
            "Input": ("--split", "--label-set", "--stage"),
            "Comparison": ("--metric", "--max-regression"),
            "Folders of tags": ("--tags", "--by", "--catalog", "--threshold", "--max-flips", "--html"),
            "Output": ("--json",),
        },
    ),
    "report": HelpPage("--run run", {"Input": ("--run", "--split")}),
    "export": HelpPage(
        "--run run --format onnx --out model",
        {"Input": ("--run",), "Output": ("--out", "--format", "--precision", "--weights", "--calibrate", "--licence")},
    ),
    "import-weights": HelpPage(
        "musicnn --model MTT_musicnn --from musicnn-0.1.0-py3-none-any.whl --out published",
        {"Input": ("--model", "--from"), "Output": ("--out", "--run")},
    ),
    "tag": HelpPage(
        "--model model song.mp3 music --csv tags.csv",
        {"Input": ("--model",), "Output": ("--top", "--json", "--csv", "--timeline")},
    ),
    "listen": HelpPage("--model model --index tags", {"Input": ("--model", "--index"), "Page": ("--port",)}),
}
EXAMPLE = "train --dataset data --label-set mine --frontend spectrogram --out run"
