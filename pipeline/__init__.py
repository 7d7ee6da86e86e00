"""Stages 1 and 3: from a catalog of audio files to feature shards and label sets, and with a trained tagger to its tags.

A notebook calls the functions below, which are what the commands call; docs/library.md shows them in use. Importing this
package imports none of them, nor Beam.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.decode.build import build
    from pipeline.decode.options import BuildOptions
    from pipeline.labels.overlay import lay_labels
    from pipeline.labels.split_dataset import split_dataset
    from pipeline.search.similar import SimilarOptions, similar
    from pipeline.tagging.options import TagOptions
    from pipeline.tagging.tag import tag
    from pipeline.tagging.verify_tags import verify_tags
    from pipeline.verify import verify as verify_dataset
else:
    from schemas.lazy_names import lazy_names

    # No name equals that of a module of this package, which would replace the function once it was imported.
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "BuildOptions": "pipeline.decode.options.BuildOptions",
            "SimilarOptions": "pipeline.search.similar.SimilarOptions",
            "TagOptions": "pipeline.tagging.options.TagOptions",
            "build": "pipeline.decode.build.build",
            "lay_labels": "pipeline.labels.overlay.lay_labels",
            "similar": "pipeline.search.similar.similar",
            "split_dataset": "pipeline.labels.split_dataset.split_dataset",
            "tag": "pipeline.tagging.tag.tag",
            "verify_dataset": "pipeline.verify.verify",
            "verify_tags": "pipeline.tagging.verify_tags.verify_tags",
        },
    )

__all__ = [
    "BuildOptions",
    "SimilarOptions",
    "TagOptions",
    "build",
    "lay_labels",
    "similar",
    "split_dataset",
    "tag",
    "verify_dataset",
    "verify_tags",
]
