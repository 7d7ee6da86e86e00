"""Train and evaluate one run of a study in a process of its own.

One process grew by 40 to 200 MB with each training of even a small model. When a process ends, the operating system takes
back all its memory.
"""

from __future__ import annotations

from training.devices.own_process import in_own_process
from training.devices.tensorflow_import import import_tensorflow
from training.study.plan import StudyRun
from training.study.results import RunRow


def train_apart(run: StudyRun, root: str, stage: str | None) -> RunRow:
    """Train or resume a run, and evaluate it on the test split, in a new process.

    Args:
        run: what to train.
        root: folder of the run.
        stage: folder on a local disk that payloads are copied to before they are read; None for none.

    Raises:
        TagscaleError: `train` or `evaluate` raised it, or the process was killed.
        Stopped: this process or the new one was asked to stop; the position is saved.
    """
    advice = ", or use a smaller --batch-size and another --out"
    return in_own_process(_trained_row, run, root, stage, name=f"{root}: its training", advice=advice)


def _trained_row(run: StudyRun, root: str, stage: str | None) -> RunRow:
    import_tensorflow()
    from training.evaluation.evaluate import evaluate
    from training.fit.train import train
    from training.report.page import report_evaluation
    from training.runs.metrics_log import MetricsLog

    trained = train(run.config, root, stage=stage)
    evaluated = evaluate(root, "test", stage=stage)
    report_evaluation(evaluated)
    metrics = evaluated.metrics
    return RunRow(
        frontend=run.config.frontend,
        share=run.config.train_share,
        tracks=trained.tracks,
        seed=run.config.seed,
        roc_auc=metrics.roc_auc_macro,
        pr_auc=metrics.pr_auc_macro,
        epochs=trained.epochs,
        best_epoch=trained.state.best_epoch,
        steps=trained.state.step,
        seconds=round(sum(float(epoch.get("seconds", 0)) for epoch in MetricsLog(root).read()), 3),  # of all calls
    )
