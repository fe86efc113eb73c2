"""Features → train → score → report in one Spark application. The same as `otklik run`."""

from __future__ import annotations

from otklik.cli import run_job
from otklik.steps.context import Job
from otklik.steps.features import build_features
from otklik.steps.report import write_report
from otklik.steps.score import score_rows
from otklik.steps.train import train_models


def main(job: Job) -> int:
    """Returns the exit code: that of the first step that fails, else of the step with a warning."""
    return max(step(job) for step in (build_features, train_models, score_rows, write_report))


if __name__ == "__main__":
    run_job(__file__)
