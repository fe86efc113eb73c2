"""Train, evaluate and register a task's models. The same as `otklik train`."""

from __future__ import annotations

from otklik.cli import run_job
from otklik.steps.context import Job
from otklik.steps.tracking import publish
from otklik.steps.train import train_models


def main(job: Job) -> int:
    """Returns the exit code."""
    code = train_models(job)
    publish(job, others_follow=True)
    return code


if __name__ == "__main__":
    run_job("train")
