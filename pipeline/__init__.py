"""Stage 1, from a catalog of audio files to feature shards and label sets.

A notebook calls the functions below, which are what the commands call; docs/library.md shows them in use. Importing this
package imports none of them, nor Beam.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.decode.build import build
    from pipeline.decode.options import BuildOptions
    from pipeline.labels.overlay import lay_labels
    from pipeline.labels.split_dataset import split_dataset
    from pipeline.verify import verify as verify_dataset
else:
    from schemas.lazy_names import lazy_names

    # No name equals that of a module of this package, which would replace the function once it was imported.
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "BuildOptions": "pipeline.decode.options.BuildOptions",
            "build": "pipeline.decode.build.build",
            "lay_labels": "pipeline.labels.overlay.lay_labels",
            "split_dataset": "pipeline.labels.split_dataset.split_dataset",
            "verify_dataset": "pipeline.verify.verify",
        },
    )

__all__ = ["BuildOptions", "build", "lay_labels", "split_dataset", "verify_dataset"]
