"""The help of the pipeline's commands: their options in groups, and an example of each."""

from __future__ import annotations

from schemas.console.commands import HelpPage

_BUILD = ("--excerpt", "--families", "--decoder", "--strict", "--max-seconds")
_IMPORT_GROUPS = {"Input": ("--audio-root",), "Output": ("--out",)}

_WHERE: dict[str, tuple[str, ...]] = {
    "Where it runs": ("--workers", "--engine", "--engine-config", "--detach", "--allow-other-versions")
}

PAGES = {
    "build": HelpPage(
        "--catalog catalog.csv --dataset data --workers 8",
        {
            "Input": ("--catalog", "--limit"),
            "Output": ("--dataset", "--shards"),
            "Features": _BUILD,
            "Rejects": ("--retry-rejects", "--max-reject-rate"),
            **_WHERE,
        },
    ),
    "tag": HelpPage(
        "--model run/saved_model --dataset data --out tags",
        {
            "Input": ("--model", "--runtime", "--dataset", "--catalog", "--embeddings", "--limit", "--excerpt"),
            "Output": ("--out", "--shards", "--no-embeddings"),
            "Decoding": ("--decoder", "--max-seconds"),
            "Rejects": ("--retry-rejects", "--max-reject-rate"),
            **_WHERE,
        },
    ),
    "status": HelpPage("--dataset data", {"Input": ("--dataset", "--tags"), "Output": ("--json",)}),
    "derive": HelpPage(
        "--dataset data --n-mels 128 --hop-length 512",
        {
            "Input and output": ("--dataset",),
            "Features": ("--n-mels", "--n-fft", "--hop-length"),
            **_WHERE,
        },
    ),
    "estimate": HelpPage(
        "--catalog catalog.csv --sample 100 --workers 8,64",
        {
            "Input": ("--catalog", "--sample", "--seed"),
            "Build": (*_BUILD, "--shards"),
            "Machines and prices": (
                "--workers",
                "--memory-gb",
                "--price-vcpu-hour",
                "--price-memory-gb-hour",
                "--price-storage-gb-month",
            ),
            "Output": ("--json",),
        },
    ),
    "split": HelpPage(
        "--dataset data --name default --ratios 80,10,10",
        {
            "Input and output": ("--dataset", "--name"),
            "Split": ("--ratios", "--salt", "--from-catalog", "--stratify"),
        },
    ),
    "label": HelpPage(
        "--dataset data --annotations annotations.csv --label-set mine.yaml",
        {"Input and output": ("--dataset",), "Labels": ("--annotations", "--label-set", "--split")},
    ),
    "diff": HelpPage(
        "--dataset data mine@1a2b3c4d5e6f mine",
        {"Input": ("--dataset",), "Output": ("--json",)},
    ),
    "export-records": HelpPage(
        "--dataset data --label-set mine --out records",
        {
            "Input": ("--dataset", "--label-set", "--features"),
            "Output": ("--out",),
            "Where it runs": _WHERE["Where it runs"][:-1],
        },
    ),
    "verify": HelpPage("--dataset data --deep", {"Input": ("--dataset", "--tags", "--deep")}),
    "info": HelpPage(
        "--dataset data --html page.html",
        {"Input": ("--dataset", "--label-set"), "Output": ("--html", "--json")},
    ),
    "similar": HelpPage(
        "--index tags --track 0042 --tag 'rock>0.5' --html similar.html",
        {
            "Input": ("--index", "--track", "--file", "--model"),
            "Search": ("--count", "--tag", "--not-same-group", "--not-same-audio", "--exact"),
            "Output": ("--html", "--json"),
        },
    ),
    "remove": HelpPage(
        "--dataset data --tracks withdrawn.txt --purge",
        {"Input and output": ("--dataset", "--tags"), "Removal": ("--tracks", "--purge")},
    ),
    "prune": HelpPage(
        "--dataset data --orphans --label-versions --keep 2",
        {
            "Input and output": ("--dataset",),
            "What to look for": (
                "--orphans",
                "--fingerprints",
                "--label-versions",
                "--unfinished",
                "--features",
                "--keep",
            ),
            "Removal": ("--yes",),
        },
    ),
    "corpus": HelpPage(
        "--out corpus --tracks 100 --seed 1",
        {"Music": ("--tracks", "--seed", "--seconds"), "Output": ("--out",)},
    ),
}
EXAMPLE = "build --catalog catalog.csv --dataset data"

IMPORT_PAGES = {
    "jamendo": HelpPage("--audio-root audio --out imported autotagging.tsv tag_map.json", _IMPORT_GROUPS),
    "mtat": HelpPage("--audio-root audio --out imported annotations_final.csv clip_info_final.csv", _IMPORT_GROUPS),
    "msd": HelpPage(
        "--audio-root audio --out imported --path-pattern '{a}/{b}/{id}.mp3' train_list_pub.cP unique_tracks.txt",
        {"Input": ("--audio-root", "--path-pattern"), "Output": ("--out",)},
    ),
    "table": HelpPage(
        "--audio-root audio --out imported --column track_id=id --column uri=path tracks.csv",
        {"Input": ("--audio-root", "--column", "--separator"), "Output": ("--out",)},
    ),
    "scores": HelpPage("tags --out heard", {"Output": ("--out",)}),
}
IMPORT_EXAMPLE = "table --audio-root audio --out imported --column track_id=id --column uri=path tracks.csv"
