"""Stage 2: from feature shards and a label set to a tagger that takes raw audio. Imports no Beam.

A notebook calls the functions below, which the commands call too; docs/library.md shows them in use. Importing this
package imports none of them, nor TensorFlow, which is imported with the first function that needs it, as quietly as for
a command.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.comparison.compare import compare
    from training.config import TrainConfig
    from training.data.records import open_records
    from training.evaluation.evaluate import evaluate
    from training.fit.train import train
    from training.serving.export import export
    from training.serving.tagger import load_tagger
else:
    from schemas.lazy_names import lazy_names

    _NEED_TENSORFLOW = ("compare", "evaluate", "export", "load_tagger", "train")

    _get, __dir__ = lazy_names(
        __name__,
        {
            "TrainConfig": "training.config.TrainConfig",
            "compare": "training.comparison.compare.compare",
            "evaluate": "training.evaluation.evaluate.evaluate",
            "export": "training.serving.export.export",
            "load_tagger": "training.serving.tagger.load_tagger",
            "open_records": "training.data.records.open_records",
            "train": "training.fit.train.train",
        },
    )

    def __getattr__(name):
        if name in _NEED_TENSORFLOW:
            from training.devices.tensorflow_import import import_tensorflow

            import_tensorflow()
        return _get(name)


__all__ = ["TrainConfig", "compare", "evaluate", "export", "load_tagger", "open_records", "train"]
