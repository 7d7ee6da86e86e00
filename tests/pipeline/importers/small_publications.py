"""Small files with the formats and the oddities of the published ones, under the names that docs/importing.md uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

JAMENDO_HEADER = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"
JAMENDO_TRACKS = {
    "track_0000214": "track_0000214\tartist_000014\talbum_000031\t14/214.mp3\t124.6",
    "track_0000215": "track_0000215\tartist_000014\talbum_000031\t15/215.mp3\t151.4",
    "track_0000216": "track_0000216\tartist_000007\talbum_000032\t16/216.mp3\t234.9",
    "track_0000217": "track_0000217\tartist_000008\talbum_000033\t17/217.mp3\t127.9",
}
MTAT_CLIPS = {
    "2": "f/american_bach_soloists-j_s__bach_solo_cantatas-01-bwv54__i_aria-30-59.mp3",
    "14": "c/lvx_nova-lvx_nova-01-contimune-30-59.mp3",
    "21": "0/lvx_nova-lvx_nova-01-contimune-233-262.mp3",
    "35644": "6/norine_braun-now_and_zen-08-gently-117-146.mp3",
}
MTAT_TAGS = ("no voice", "guitar", "female vocal")
MSD_IDS = {
    "train": ("TRAADIN128F931D672", "TRAADQW128F427CE68"),
    "valid": ("TRYLROL128F931C1A7",),
    "test": ("TRZZEWM128F428BD9A",),
}
MSD_TAGS = ("rock", "female vocalists", "00s")
MSD_ARTISTS = {
    "TRAADIN128F931D672": "Björk",
    "TRAADQW128F427CE68": "Björk",
    "TRZZEWM128F428BD9A": "The The",
    "TRYLROL128F931C1A7": "",
}


def write_lines(path: Path, lines: Sequence[str], end: str = "\n") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}{end}" for line in lines).encode())
    return str(path)


def write_npy(path: Path, array: np.ndarray) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)
    return str(path)


def write_jamendo(path: Path, tags: dict[str, Sequence[str]], end: str = "\n") -> str:
    """A table of tracks, each with a field for each of its tags."""
    return write_lines(path, [JAMENDO_HEADER, *("\t".join((JAMENDO_TRACKS[id_], *tags[id_])) for id_ in tags)], end)


def write_publications(folder: Path) -> None:
    """All files that docs/importing.md names."""
    write_jamendo_files(folder / "mtg-jamendo-dataset/data")
    write_mtat_files(folder / "magnatagatune")
    write_msd_files(folder / "msd")
    write_lines(
        folder / "metadata.csv", ["ID,PATH,ARTIST,TITLE", '01,a/1.mp3,Björk,"Jóga, live"', "02,/b/2.mp3,,x", "03,,y,z"]
    )
    write_lines(folder / "genres.tsv", ["ID\tGENRES", "01\tpop; art|pop ;", "02\t", "03\trock"])


def write_jamendo_files(data: Path) -> list[str]:
    """autotagging.tsv, a split whose files have Windows line ends, and the list of its tags."""
    split = data / "splits/split-0"
    return [
        write_jamendo(
            data / "autotagging.tsv",
            {
                "track_0000214": ["genre---rock"],
                "track_0000215": ["genre---jazz", "instrument---voice", "mood/theme---calm"],
                "track_0000216": ["genre---rock"],
                "track_0000217": ["mood/theme---calm"],
            },
        ),
        write_jamendo(split / "autotagging_top50tags-train.tsv", {"track_0000214": ["genre---rock"]}, end="\r\n"),
        write_jamendo(split / "autotagging_top50tags-validation.tsv", {"track_0000216": ["genre---rock"]}, end="\r\n"),
        write_jamendo(split / "autotagging_top50tags-test.tsv", {"track_0000215": ["genre---jazz"]}, end="\r\n"),
        write_lines(data / "tags/top50.txt", ["genre---rock", "genre---jazz"]),
    ]


def write_mtat_files(folder: Path) -> list[str]:
    """annotations_final.csv and clip_info_final.csv, both quoted and tab-separated, and a list of two tags."""
    rows = [("2", "0", "1", "0"), ("14", "1", "1", "0"), ("21", "0", "0", "0"), ("35644", "0", "0", "1")]
    info = [
        ("2", "1", "BWV54 - I Aria", "American Bach Soloists", "30", "59", MTAT_CLIPS["2"]),
        ("14", "1", 'Contimune ""live""', "Lvx Nova", "30", "59", MTAT_CLIPS["14"]),
        ("21", "1", "Contimune", "Lvx Nova", "233", "262", MTAT_CLIPS["21"]),
        ("35644", "8", "Gently", "Norine Braun", "117", "146", MTAT_CLIPS["35644"]),
        ("35645", "8", "Gently", "Norine Braun", "146", "175", ""),
    ]
    return [
        write_lines(
            folder / "annotations_final.csv",
            [
                _quoted("clip_id", *MTAT_TAGS, "mp3_path"),
                *(_quoted(*row, MTAT_CLIPS[row[0]]) for row in rows),
            ],
        ),
        write_lines(
            folder / "clip_info_final.csv",
            [
                _quoted(
                    *"clip_id track_number title artist album url segmentStart segmentEnd original_url mp3_path".split()
                ),
                *(
                    _quoted(clip, number, title, artist, "Album", "http://x/", start, end, "http://y/", path)
                    for clip, number, title, artist, start, end, path in info
                ),
            ],
        ),
        write_lines(folder / "top50_tags.txt", ["guitar", "noVoice"]),
    ]


def _quoted(*fields: str) -> str:
    return "\t".join(f'"{field}"' for field in fields)


def write_msd_files(folder: Path) -> list[str]:
    """Lists of ids and matrices for three sides, the tags, and the artists of most tracks and of one in no list."""
    labels = {"train": [[1, 0, 0], [0, 1, 1]], "valid": [[1, 0, 0]], "test": [[0, 0, 1]]}
    artists = {**MSD_ARTISTS, "TRBBBBB128F0000000": "Nobody"}
    written = [
        write_lines(folder / "50tagList.txt", MSD_TAGS),
        write_lines(
            folder / "unique_tracks.txt",
            [f"{id_}<SEP>SO{id_}<SEP>{name}<SEP>A <SEP> B" for id_, name in artists.items()],
        ),
    ]
    for side, ids in MSD_IDS.items():
        written.append(write_lines(folder / f"{side}_x_msd_id.txt", ids))
        written.append(write_npy(folder / f"{side}_y.npy", np.array(labels[side], np.uint8)))
    return written
