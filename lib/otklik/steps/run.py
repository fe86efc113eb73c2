"""Step: one question all the way, from features to the report."""

from __future__ import annotations

from otklik.steps.context import Job
from otklik.steps.features import build_features
from otklik.steps.question import asked
from otklik.steps.report import write_report
from otklik.steps.score import score_rows
from otklik.steps.train import train_models


def run_task(job: Job) -> int:
    """Build features, train, score and report; returns 0, or the exit code of a step with a warning.

    The question is asked once: what is ingested meanwhile belongs to the next run.
    """
    question = asked(job, "features")
    return max(step(job, question) for step in (build_features, train_models, score_rows, write_report))
