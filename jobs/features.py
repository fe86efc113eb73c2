"""Build a task's features. The same as `otklik features`."""

from __future__ import annotations

from otklik.cli import run_job
from otklik.steps.context import Job
from otklik.steps.features import build_features


def main(job: Job) -> int:
    """Returns the exit code."""
    return build_features(job)


if __name__ == "__main__":
    run_job("features")
