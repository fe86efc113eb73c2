"""Splits: folds by key hash, expanding windows, and the time test part.

Random: k-fold predictions by the hash of the unit (the customer), so that no unit is in both parts. Settings and
calibrators of fold j come from models that saw neither j nor what they predict: groups of folds are left out together.
Time: the last share of the rows, cut between two decision moments, with the label window between train and test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.errors import RefusedError

#: The fold number of rows in the time test part.
TIME_TEST = -1


@dataclass(frozen=True)
class Fit:
    """One fit: which rows it learns from, and which it then predicts, each under the fold it predicts for."""

    name: str
    learns_from: Column
    predicts: Column


@dataclass(frozen=True)
class Fold:
    """A part of the test rows: the fit that predicts it, and the fits by which settings are chosen for it.

    Args:
        number: of the fold; TIME_TEST for the time test part.
        outer: is fitted to the whole training part.
        inner: each is fitted to a part of the training part.
        judged: for each inner fit, which of its predictions are used for this fold.
    """

    number: int
    outer: Fit
    inner: tuple[str, ...]
    judged: tuple[Column, ...]


@dataclass(frozen=True)
class Plan:
    """A split: its folds and inner fits.

    Attributes:
        split: random or time.
        folds: the parts of the test rows.
        inner_fits: the fits by which settings are chosen.
        training_part: the rows of all outer fits; the preparation is fitted to them.
    """

    split: str
    folds: tuple[Fold, ...]
    inner_fits: tuple[Fit, ...]
    training_part: Column


def with_fold(rows: DataFrame, folds: int, salt: str) -> DataFrame:
    """Add fold INT in [0, folds): a hash of the unit, so that one customer is in one fold."""
    return rows.withColumn("fold", F.pmod(F.xxhash64("unit", F.lit(salt)), F.lit(folds)).cast("int"))


def random_plan(folds: int, groups: int) -> Plan:
    """k-fold predictions; needs the column fold.

    Fold j belongs to group j mod `groups`. The inner fit of a group is fitted to all other groups; its predictions for
    the group's other folds choose settings for fold j and calibrate it, as it has seen neither j nor them.

    As each fold is a training part of the others, the training part of this split is all rows: levels, medians and
    correlations come from every labelled row, including the predicted fold. They are fitted without labels; if rows are
    ordered in time, the time split decides, whose test part they never see.
    """
    members = [[fold for fold in range(folds) if fold % groups == group] for group in range(groups)]
    inner = tuple(
        Fit(f"group {group}", ~F.col("fold").isin(*of_group), F.col("fold").isin(*of_group))
        for group, of_group in enumerate(members)
    )
    made = []
    for fold in range(folds):
        others = [other for other in members[fold % groups] if other != fold]
        outer = Fit(f"fold {fold}", F.col("fold") != fold, F.col("fold") == fold)
        made.append(Fold(fold, outer, (inner[fold % groups].name,), (F.col("fold").isin(*others),)))
    return Plan("random", tuple(made), inner, F.lit(True))


def time_plan(
    moments: Sequence[tuple[datetime, int]], test_share: float, windows: int, label_window: timedelta
) -> Plan:
    """Train on the past, test on the last moments; number of expanding windows inside the training part; needs as_of.

    Args:
        moments: decision moments with their numbers of rows.
        test_share: the least share of rows in the test part.
        windows: expanding windows.
        label_window: train rows' labels must be final before the first moment of what is predicted.

    Raises:
        RefusedError: if there are too few moments to cut between.
    """
    ordered = sorted(moments)
    cut = _cut(ordered, 1 - test_share)
    train = [(moment, rows) for moment, rows in ordered if moment < cut and moment + label_window <= cut]
    starts = sorted({_cut(train, (i + 1) / (windows + 1)) for i in range(windows)}) if len(train) > windows else []
    if not starts or not train:
        raise RefusedError(
            f"{len(ordered)} decision moments cannot be split into {windows} expanding windows and a test part",
            where="splits",
            hint="lower splits.time_windows, or set rows.time_ordered = false",
        )
    inner = tuple(
        Fit(f"window {i}", _ends_before(start, label_window), F.col("as_of").between(start, end))
        for i, (start, end) in enumerate(zip(starts, _ends(starts, train), strict=True))
    )
    outer = Fit("past", _ends_before(cut, label_window), F.col("as_of") >= F.lit(cut))
    fold = Fold(TIME_TEST, outer, tuple(fit.name for fit in inner), tuple(fit.predicts for fit in inner))
    return Plan("time", (fold,), inner, outer.learns_from)


def _ends_before(moment: datetime, label_window: timedelta) -> Column:
    return F.col("as_of") + F.lit(label_window) <= F.lit(moment) if label_window else F.col("as_of") < F.lit(moment)


def _ends(starts: Sequence[datetime], train: Sequence[tuple[datetime, int]]) -> list[datetime]:
    """The last moment of each window: the one before the next window's start."""
    moments = [moment for moment, _ in train]
    following = [*starts[1:], None]
    return [moments[-1] if nxt is None else max(m for m in moments if m < nxt) for nxt in following]


def _cut(moments: Sequence[tuple[datetime, int]], share: float) -> datetime:
    """The latest moment that has at most this share of the rows before it; never the first moment."""
    total = sum(rows for _, rows in moments)
    before = 0
    cut = moments[min(1, len(moments) - 1)][0]
    for moment, rows in moments:
        if before <= share * total and before:
            cut = moment
        before += rows
    return cut
