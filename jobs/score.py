"""Score rows with the champion, and decide whom to contact. The same as `otklik score`."""

from __future__ import annotations

from otklik.cli import run_job
from otklik.steps.context import Job
from otklik.steps.score import score_rows


def main(job: Job) -> int:
    """Returns the exit code."""
    return score_rows(job)


if __name__ == "__main__":
    run_job("score")
