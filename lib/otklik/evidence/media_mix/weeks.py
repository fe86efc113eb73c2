"""Revenue and spend by week, read from frames into arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, RefusedError
from otklik.evidence.media_mix import response as model
from otklik.evidence.media_mix.kind import WEEKS, MediaMixTask
from otklik.evidence.media_mix.response import Floats, Weeks

_MOST_WEEKS, _MOST_CHANNELS = 1_040, 20
#: Of all regions together.
_MOST_REGION_WEEKS = 40_000
_NAMED = 5
_MONDAY = date(2000, 1, 3)


@dataclass(frozen=True)
class Data:
    """The weeks in order; national ones if there are no regions.

    `negative`: number of sums of spend per channel, week and region that are below 0 and count as 0.
    """

    days: Sequence[date]
    channels: Sequence[str]
    weeks: Weeks
    regions: Sequence[str] = ()
    negative: int = 0

    @property
    def cells(self) -> Floats:
        """Spend on each channel in each region, (weeks, regions · channels), in money."""
        spend = self.weeks.spend * self.weeks.size[..., np.newaxis, np.newaxis]
        by_region = spend.reshape(-1, len(self.days), len(self.channels))
        return by_region.swapaxes(0, 1).reshape(len(self.days), -1)

    def by_channel(self, cells: Floats) -> Floats:
        """Sums over the regions of (…, regions · channels)."""
        found: Floats = cells.reshape(*cells.shape[:-1], -1, len(self.channels)).sum(axis=-2)
        return found


def read_data(frames: Mapping[str, DataFrame], task: MediaMixTask) -> Data:
    """Collect weeks and spends: at most 1,040 weeks of at most 20 channels, or 40,000 weeks of all regions together.

    Args:
        frames: `weeks` and `spends`; see `kind`. Other numbers of `weeks` than revenue are controls.
        task: the settings.

    Raises:
        RefusedError: if a week occurs twice or is missing, a region has no revenue, spend names another region, or
            there are too many weeks or channels.
    """
    day = F.to_date("moment").alias("day")
    weeks = frames["weeks"].select(day, *(name for name in frames["weeks"].columns if name != "moment"))
    has_regions = "region" in weeks.columns
    most = _MOST_REGION_WEEKS if has_regions else _MOST_WEEKS
    rows = weeks.limit(most + 1).toPandas()
    if len(rows) > most:
        raise RefusedError(
            f"more than {most:,} rows: they cannot be weeks",
            where="frame weeks",
            hint="aggregate revenue by week with a SELECT ([frames.weeks] sql)",
        )
    if rows.empty:
        return Data([], [], Weeks(np.empty(0), np.empty((0, 0)), np.empty((0, 1))))
    if not has_regions:
        rows["region"] = ""
    rows = rows.sort_values(["region", "day"], ignore_index=True)
    regions, days = sorted(rows["region"].unique()), sorted(rows["day"].unique())
    is_whole = len(rows) == len(regions) * len(days) and not rows.duplicated(["region", "day"]).any()
    if not is_whole or any(later - earlier != timedelta(days=7) for earlier, later in pairwise(days)):
        raise RefusedError(
            "weeks are missing or duplicated: each day must be seven days after the one before",
            where="frame weeks",
            hint=f"give one row per week{' and region' * has_regions}, all on the same day of the week",
        )
    spend, channels, negative = _spends(frames["spends"], days, regions if has_regions else [])
    shape = (len(regions), len(days)) if has_regions else (len(days),)
    declared = {column.name for column in WEEKS.columns}
    controls = rows[[name for name in rows.columns if name not in {*declared, "day"}]]
    filled = controls.fillna(controls.mean()).fillna(0.0).to_numpy(dtype=np.float64).reshape(*shape, controls.shape[1])
    first = (days[0] - _MONDAY).days // 7
    calendar = model.calendar(len(days), first, task.season_harmonics)
    revenue = rows["revenue"].to_numpy(dtype=np.float64).reshape(shape)
    if not has_regions:
        base = np.column_stack([calendar, model.scaled(filled)])
        return Data(days, channels, Weeks(revenue, spend[0], base), negative=negative)
    size = _sizes(rows, regions)
    own = calendar if task.trend_and_season == "by_region" else calendar[:, :1]
    common = calendar[:, 1:] if task.trend_and_season == "shared" else calendar[:, :0]
    common = np.broadcast_to(common, (*shape, common.shape[1]))
    base = np.concatenate([common, model.scaled(filled)], axis=-1)
    # Spend without a region is divided between regions by size.
    spend = spend[:-1] / size[:, np.newaxis, np.newaxis] + spend[-1] / size.sum()
    is_apart = task.trend_and_season == "each_week"
    found = Weeks(revenue / size[:, np.newaxis], spend, base, own, size, is_apart)
    return Data(days, channels, found, regions, negative)


def _spends(spends: DataFrame, days: Sequence[date], regions: Sequence[str]) -> tuple[Floats, list[str], int]:
    """Spend by region, with spend without a region last, (regions + 1, weeks, channels); the channels.

    The third value is the number of these sums that are below 0, such as refunds, and count as 0.
    """
    place = F.floor(F.datediff(F.to_date("moment"), F.lit(days[0])) / 7).alias("week")
    region = F.col("region") if regions and "region" in spends.columns else F.lit(None).cast("string")
    sums = (
        spends.groupBy(region.alias("region"), place, "channel")
        .agg(F.sum("spend").alias("spend"))
        .where(F.col("week").between(0, len(days) - 1))
    )
    most = _MOST_CHANNELS * max(_MOST_WEEKS, len(days) * (len(regions) + 1))
    rows = sums.limit(most + 1).toPandas()
    channels = sorted(rows["channel"].unique())
    if len(channels) > _MOST_CHANNELS or len(rows) > most:
        raise RefusedError(
            f"more than {_MOST_CHANNELS} channels",
            where="frame spends",
            hint="use broader channels under columns of [frames.spends]",
        )
    named = {name: number for number, name in enumerate(regions)}
    others = sorted({*rows["region"].dropna()} - {*regions})
    if others:
        raise RefusedError(
            f"{len(others):,} regions of spend have no revenue: {', '.join(map(repr, others[:_NAMED]))}",
            where="frame spends",
            hint="add their revenue to the frame weeks, or filter them out with where",
        )
    found = np.zeros((len(regions) + 1, len(days), len(channels)))
    columns = {name: number for number, name in enumerate(channels)}
    at = (
        rows["region"].map(named).fillna(len(regions)).astype(int).to_numpy(),
        rows["week"].astype(int).to_numpy(),
        rows["channel"].map(columns).astype(int).to_numpy(),
    )
    spend = rows["spend"].to_numpy(dtype=np.float64)
    found[at] = np.maximum(spend, 0.0)
    return found, channels, int((spend < 0).sum())


def _sizes(rows: pd.DataFrame, regions: Sequence[str]) -> Floats:
    """Divisor of each region's revenue and spend; 1 on average."""
    named = "size" if "size" in rows.columns else "revenue"
    size = rows.groupby("region")[named].mean().reindex([*regions]).to_numpy(dtype=np.float64)
    wrong = [region for region, one in zip(regions, size, strict=True) if not one > 0]
    if wrong:
        raise RefusedError(
            f"the {named} of {len(wrong):,} regions is not above 0: {', '.join(map(repr, wrong[:_NAMED]))}",
            where="frame weeks",
            hint="filter these regions out with where",
        )
    return np.asarray(size / size.mean(), dtype=np.float64)


def known_channels(data: Data, key: str, named: Iterable[str]) -> None:
    """Check the channels that a setting names.

    Raises:
        ConfigurationError: if there is no such channel.
    """
    unknown = [f"{key} names {name!r}" for name in named if name not in data.channels]
    if unknown:
        raise ConfigurationError(
            f"{', '.join(unknown)}: no such channel", where="frame spends", hint=f"channels: {', '.join(data.channels)}"
        )
