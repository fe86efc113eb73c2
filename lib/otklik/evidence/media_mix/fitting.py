"""The response to spend, fitted to all weeks, to bootstrap samples, and to all but the last weeks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import numpy as np
from pyspark.sql import DataFrame

from otklik.evidence.media_mix import response as model
from otklik.evidence.media_mix.kind import FITTED, MediaMixTask
from otklik.evidence.media_mix.response import Floats, Form, Weeks
from otklik.evidence.media_mix.weeks import Data, known_channels, read_data
from otklik.evidence.tables import tables_of
from otklik.kind import Finding, StageContext, StageResult, Verdict


def run(frames: Mapping[str, DataFrame], task: MediaMixTask, context: StageContext) -> StageResult:
    """Fit the response of revenue to spend.

    Args:
        frames: `weeks` and `spends`; see `kind`.
        task: the settings.
        context: session and seed.

    Raises:
        ConfigurationError: if an experiment names an unknown channel.
        RefusedError: as `read_data`.
    """
    data = read_data(frames, task)
    context.step.rows(len(data.days), "weeks")
    numbers = data.weeks.coefficients + 4 * len(data.channels)
    needed = max(task.minimum_weeks, task.holdout_weeks + -(-numbers // max(len(data.regions), 1)) + 10)
    if len(data.days) < needed:
        few = Finding("few_weeks", "", {"weeks": len(data.days), "needed": needed})
        return StageResult(tables_of(context, FITTED), [], Verdict("too_little_data", [few]))

    context.step.under_way("response to spend")
    form = form_of(data, task)
    found = model.fit(data.weeks, form=form)
    drawn = model.redrawn(data.weeks, found, task.replicates, task.block_weeks, task.seed, form)
    errors = errors_of_last_weeks(data.weeks, form, task.holdout_weeks)
    tables = tables_of(
        context,
        FITTED,
        responses=[
            (number, *(_listed(getattr(one, each.name)) for each in fields(one)))
            for number, one in enumerate([found, *drawn])
        ],
        holdout=[
            (day, float(own), float(without))
            for day, own, without in zip(data.days[-task.holdout_weeks :], *errors, strict=True)
        ],
    )
    return StageResult(tables)


def form_of(data: Data, task: MediaMixTask) -> Form:
    """The form of the response from the task's settings.

    Raises:
        ConfigurationError: if an experiment names an unknown channel.
    """
    known_channels(data, "experiments", task.experiments)
    measured = [task.experiments.get(channel) for channel in data.channels]
    roi, error = (
        np.array([np.nan if one is None else getattr(one, name) for one in measured]) for name in ("roi", "error")
    )
    return Form(task.adstock == "weibull", roi, error)


def errors_of_last_weeks(weeks: Weeks, form: Form, count: int) -> tuple[Floats, Floats]:
    """Squared errors in held-out weeks, summed over regions: of the model, and without media."""
    cut = weeks.revenue.shape[-1] - count
    train = weeks.only(slice(None, cut))
    expected = (model.fit(train, form=form).fitted(weeks), weeks.expected(model.base_alone(train)))
    own, without = ((weeks.left(one)[..., cut:] ** 2).reshape(-1, count).sum(axis=0) for one in expected)
    return own, without


def _listed(values: Floats | None) -> list[float] | None:
    return None if values is None else values.tolist()
