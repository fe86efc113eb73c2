"""Reduce a task's large Spark frames to the small pandas frames of `facts`: counts per level, period and score.

Results do not depend on the partitioning: they are sums of integers, and the sample is drawn by key.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError
from otklik.lake.store import sql_double
from otklik.report.facts import records
from otklik.session import analysed
from otklik.settings import Text

#: Scores are counted on a grid of log-odds: this many bins per unit, from −LIMIT to LIMIT. Fine enough for every curve
#: (at p = .5 a bin is .00125 wide), and never more than 5,601 rows per model however many customers there are.
BINS_PER_UNIT = 200
LOG_ODDS_LIMIT = 14

#: Maximum number of levels per attribute; the rest are merged into "other".
LEVELS_SHOWN = 12
#: Levels with a smaller share of the rows are never collected.
LEAST_SHARE_OF_A_LEVEL = 0.0005
#: Approximate sample size for the bands of a number, if the task does not declare them.
ROWS_FOR_BANDS = 50_000
#: A number with at most this many values is shown value by value.
VALUES_SHOWN = 8

_NUMERIC = re.compile(r"^(tinyint|smallint|int|bigint|float|double|decimal.*)$")
_PREDICATE = re.compile(r"\{(?:rate|share|rows): ([^{}]+)\}")


def rows_per_label_state(features: DataFrame) -> pd.DataFrame:
    """Feature rows → label_state, rows."""
    return _collected(features.groupBy("label_state").agg(F.count("*").alias("rows")), "label_state")


def attribute_rates(
    features: DataFrame, attributes: Sequence[str], bands: Mapping[str, Sequence[float]]
) -> pd.DataFrame:
    """Number of labelled rows and of positives per level or band of each attribute.

    Args:
        features: gold.<task>_features; rows without a label are ignored.
        attributes: columns to count, in the order of the report: strings, booleans and numbers; others are left out.
        bands: cut points per number, low ≤ x < high. By default each band has about a fifth of the rows, or one value
            if there are only a few; a common smallest value has its own band.

    Returns:
        attribute, kind, level, low, high, whole, position, rows, positives; see `facts.ReportFacts`.
    """
    types = dict(features.dtypes)
    shown = [name for name in attributes if _is_number(types[name]) or types[name] in ("string", "boolean")]
    labelled = features.where(F.col("label").isNotNull())
    if not shown:
        return pd.DataFrame(columns=_RATE_COLUMNS)
    numbers = [name for name in shown if _is_number(types[name])]
    cuts = {name: sorted(set(map(float, bands[name]))) for name in numbers if name in bands}
    cuts |= _quantile_cuts(labelled, [name for name in numbers if name not in cuts])
    levels = [
        F.struct(
            F.lit(name).alias("attribute"),
            (_band_of(name, cuts[name]) if name in cuts else F.col(name).cast("string")).alias("level"),
        )
        for name in shown
    ]
    ends = [
        end(F.col(name).cast("double")).alias(f"{name}_{place}")
        for name in cuts
        for place, end in enumerate((F.min, F.max))
    ]
    totals = labelled.agg(F.count("*").alias("rows"), F.sum("label").alias("positives"), *ends).first()
    if totals is None or not totals["rows"]:
        return pd.DataFrame(columns=_RATE_COLUMNS)
    counted = (
        labelled.select("label", F.explode(F.array(*levels)).alias("of"))
        .groupBy("of.attribute", "of.level")
        .agg(F.count("*").alias("rows"), F.sum("label").alias("positives"))
        .where(F.col("level").isNull() | (F.col("rows") >= LEAST_SHARE_OF_A_LEVEL * totals["rows"]))
    )
    found = _collected(counted)
    whole = {name: not types[name].startswith(("float", "double", "decimal")) for name in numbers}
    parts = []
    for name in shown:
        mine = found[found["attribute"] == name]
        if name in cuts:
            edges = _edges(cuts[name], totals[f"{name}_0"], totals[f"{name}_1"], whole[name])
            parts.append(_bands(name, mine, edges, whole[name]))
        else:
            parts.append(_levels(name, mine, int(totals["rows"]), int(totals["positives"])))
    return pd.concat(parts, ignore_index=True)[_RATE_COLUMNS]


def rates_over_time(features: DataFrame) -> pd.DataFrame:
    """Labelled rows → period (start, UTC), rows, positives; by hour within ten days, otherwise by day."""
    labelled = features.where(F.col("label").isNotNull())
    span = labelled.agg(F.min("as_of").alias("first"), F.max("as_of").alias("last")).first()
    if span is None or span["first"] is None:
        return pd.DataFrame(columns=["period", "rows", "positives"])
    grain = "hour" if (span["last"] - span["first"]).days <= 10 else "day"
    per_period = labelled.groupBy(F.date_trunc(grain, "as_of").alias("period"))
    return _collected(per_period.agg(F.count("*").alias("rows"), F.sum("label").alias("positives")), "period")


def remark_counts(features: DataFrame, remarks: Sequence[Text]) -> pd.DataFrame:
    """The counts behind `{rate: …}`, `{share: …}` and `{rows: …}` in a task's remarks.

    After the colon is a SQL predicate over the columns of the feature table, so that a remark takes its numbers from
    the data: "60 and over {rate: age >= 60} respond".

    Returns:
        predicate, rows, positives of the labelled rows; the predicate "true" is always there.

    Raises:
        ConfigurationError: if a predicate is not SQL over these columns.
    """
    rows = []
    for predicate, found in _rows_of_remarks(features.where(F.col("label").isNotNull()), remarks):
        with _clear(predicate):
            row = found.agg(F.count("*").alias("rows"), F.sum("label").alias("positives")).first()
        rows.append((predicate, row["rows"] if row else 0, (row["positives"] if row else 0) or 0))
    return pd.DataFrame(rows, columns=["predicate", "rows", "positives"])


def refuse_odd_remarks(features: DataFrame, remarks: Sequence[Text]) -> None:
    """Check the predicates in a task's remarks without reading rows, before models are fitted.

    Raises:
        ConfigurationError: if a predicate is not SQL over these columns.
    """
    for _ in _rows_of_remarks(features, remarks):
        pass


def _rows_of_remarks(rows: DataFrame, remarks: Sequence[Text]) -> Iterator[tuple[str, DataFrame]]:
    """Each predicate once, "true" first, with the rows that satisfy it."""
    for predicate in dict.fromkeys(["true", *(p for remark in remarks for p in predicates_in(remark.en, remark.ru))]):
        with _clear(predicate):
            found = analysed(rows.where(F.expr(predicate)))
        yield predicate, found


@contextlib.contextmanager
def _clear(predicate: str) -> Iterator[None]:
    try:
        yield
    except PySparkException as fault:
        raise ConfigurationError(
            f"{predicate!r} is not a valid condition on the task's features ({fault.getCondition() or 'syntax'})",
            where="report.remarks",
            hint="use column names of the feature table, like {rate: age >= 60}",
        ) from None


def predicates_in(*texts: str) -> list[str]:
    """The SQL predicates of the placeholders in some texts."""
    return [match.strip() for text in texts for match in _PREDICATE.findall(text)]


def score_counts(predictions: DataFrame, threshold: float | None) -> pd.DataFrame:
    """gold.<task>_predictions → rows and positives per model, leaks, split, calibration and score.

    Args:
        predictions: held-out predictions of all models.
        threshold: cost / value; accuracy is at .5 if the task declares neither.

    Returns:
        model, leaks, split, calibration, bin (log-odds × BINS_PER_UNIT), is_chosen (above the threshold, as in the
        scoreboard's profit), rows, positives. A raw linear SVC has its margin in place of the log-odds, and is chosen
        if that is positive.
    """
    cut = 0.5 if threshold is None else threshold
    raw = F.struct(
        F.lit("raw").alias("calibration"),
        F.when(F.col("raw").isNull(), _bin(F.col("margin"))).otherwise(_bin(_log_odds(F.col("raw")))).alias("bin"),
        F.when(F.col("raw").isNull(), F.col("margin") > 0).otherwise(F.col("raw") > cut).alias("is_chosen"),
    )
    calibrated = F.struct(
        F.lit("calibrated").alias("calibration"),
        _bin(_log_odds(F.col("calibrated"))).alias("bin"),
        (F.col("calibrated") > cut).alias("is_chosen"),
    )
    keys = ["model", "leaks", "split", "calibration", "bin", "is_chosen"]
    return _collected(
        predictions.select("model", "leaks", "split", "label", F.explode(F.array(raw, calibrated)).alias("of"))
        .select("model", "leaks", "split", "label", "of.*")
        .where(F.col("bin").isNotNull())
        .groupBy(*keys)
        .agg(F.count("*").alias("rows"), F.sum("label").alias("positives")),
        *keys,
    )


def scored_counts(scores: DataFrame, features: DataFrame) -> pd.DataFrame:
    """gold.<task>_scores with labels → bin, rows, labelled, positives: the data of the profit curve."""
    labels = features.select("key", "as_of", "label")
    return _collected(
        scores.select("key", "as_of", _bin(_log_odds(F.col("probability"))).alias("bin"))
        .join(labels, ["key", "as_of"], "left")
        .groupBy("bin")
        .agg(
            F.count("*").alias("rows"),
            F.count("label").alias("labelled"),
            F.coalesce(F.sum("label"), F.lit(0)).alias("positives"),
        ),
        "bin",
    )


def top_of_list(actions: DataFrame, scores: DataFrame, rows: int = 20) -> pd.DataFrame:
    """The first rows of the list with the reasons for each: rank, key, arm, probability, expected_profit, reasons."""
    first = actions.orderBy("rank", "key").limit(rows)
    reasons = scores.select("key", "as_of", "reasons")
    found = first.join(reasons, ["key", "as_of"], "left")
    return _collected(found.select("rank", "key", "arm", "probability", "expected_profit", "reasons"), "rank", "key")


def moments_of_list(actions: DataFrame) -> tuple[pd.Timestamp, pd.Timestamp] | None:
    """The first and the last decision moment of gold.<task>_actions; None where it has no rows."""
    ends = _collected(actions.agg(F.min("as_of").alias("first"), F.max("as_of").alias("last")))
    return None if ends["first"].isna().all() else (ends["first"].iloc[0], ends["last"].iloc[0])


def reason_weights(scores: DataFrame) -> pd.DataFrame:
    """Weight of each feature in the reasons of the scores: feature, weight (share of all contributions)."""
    reasons = scores.select(F.explode("reasons").alias("of")).groupBy(F.col("of.feature").alias("feature"))
    found = _collected(reasons.agg(F.sum(F.abs("of.contribution")).alias("weight")), "feature")
    return found.assign(weight=found["weight"] / max(float(found["weight"].sum()), 1e-300))


def rows_per_arm(actions: DataFrame) -> pd.DataFrame:
    """gold.<task>_actions → arm, rows."""
    return _collected(actions.groupBy("arm").agg(F.count("*").alias("rows")), "arm")


def probability_of_bin(bins: pd.Series) -> npt.NDArray[np.float64]:
    """The probability of a bin of the log-odds grid."""
    return np.asarray(1 / (1 + np.exp(-bins.to_numpy(dtype=float) / BINS_PER_UNIT)), dtype=float)


_RATE_COLUMNS = ["attribute", "kind", "level", "low", "high", "whole", "position", "rows", "positives"]


def _collected(frame: DataFrame, *by: str) -> pd.DataFrame:
    """Collect and sort by some columns: for a few rows this is cheaper than a sort in Spark."""
    found: pd.DataFrame = frame.toPandas()
    return found.sort_values([*by], ignore_index=True, na_position="first") if by else found


def _is_number(type_: str) -> bool:
    return _NUMERIC.match(type_) is not None


def _log_odds(probability: Column) -> Column:
    """Log-odds, clipped to the grid, as isotonic calibration may return probabilities of exactly 0 and 1."""
    least = 1 / (1 + math.exp(LOG_ODDS_LIMIT))
    held = F.least(F.greatest(probability, F.lit(least)), F.lit(1 - least))
    return F.log(held / (1 - held))


def _bin(log_odds: Column) -> Column:
    held = F.least(F.greatest(log_odds, F.lit(-float(LOG_ODDS_LIMIT))), F.lit(float(LOG_ODDS_LIMIT)))
    return F.when(log_odds.isNotNull(), F.round(held * BINS_PER_UNIT).cast("int"))


def _band_of(name: str, cuts: Iterable[float]) -> Column:
    """The number of cut points at or below the value, as text; null for a missing value or NaN."""
    value = f"CAST(`{name}` AS DOUBLE)"
    # One call to Java as a SQL string; with columns it would be four calls per cut point and attribute.
    places = [f"int({value} >= {sql_double(cut)})" for cut in cuts]
    index = f"CAST({' + '.join(['0', *places])} AS STRING)"
    return F.expr(f"CASE WHEN {value} IS NOT NULL AND NOT isnan({value}) THEN {index} END")


def _quantile_cuts(labelled: DataFrame, numbers: Sequence[str]) -> dict[str, list[float]]:
    """Cut points for numbers without declared bands, from a sample drawn by key."""
    if not numbers:
        return {}
    modulus = max(1, math.ceil(labelled.count() / ROWS_FOR_BANDS))
    drawn = F.pmod(F.xxhash64("key", "as_of", F.lit("bands")), F.lit(modulus)) == 0
    sample = _collected(labelled.where(drawn).select(*(F.col(name).cast("double").alias(name) for name in numbers)))
    return {name: cuts_of(sample[name]) for name in numbers}


def cuts_of(values: pd.Series) -> list[float]:
    """Cut points between bands of about equal count, rounded if that keeps them distinct.

    The smallest value gets its own band if at least a fifth of the rows have it (a count that is mostly zero).
    """
    numbers = np.sort(values.dropna().to_numpy(dtype=float))
    distinct = np.unique(numbers)
    if len(distinct) <= VALUES_SHOWN:
        return [float(value) for value in distinct[1:]]
    cuts: set[float] = set()
    rest = numbers
    if (numbers == distinct[0]).mean() >= 0.2:
        cuts.add(float(distinct[1]))
        rest = numbers[numbers > distinct[0]]
    exact = sorted({float(cut) for cut in np.quantile(rest, [0.2, 0.4, 0.6, 0.8], method="lower")})
    rounded = [_two_digits(cut) for cut in exact]
    cuts |= set(rounded if len(set(rounded)) == len(exact) else exact)
    return sorted(cut for cut in cuts if distinct[0] < cut <= distinct[-1])


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")


def _edges(cuts: Sequence[float], least: float | None, most: float | None, whole: bool) -> list[float]:
    """The bounds of the bands: open on both sides, but closed if the outer band has only one whole number.

    Numbers without cut points, such as constants, are one band from minimum to maximum.
    """
    first, last = math.nan, math.nan
    if least is None or most is None:
        return [first, *cuts, last]
    if not cuts:
        return [least, most + 1 if whole else most]
    if whole:
        first = least if least == cuts[0] - 1 else math.nan
        last = most + 1 if most == cuts[-1] else math.nan
    return [first, *cuts, last]


def _bands(name: str, found: pd.DataFrame, edges: Sequence[float], whole: bool) -> pd.DataFrame:
    rows = []
    for record in records(found):
        if record.level is None or pd.isna(record.level):
            rows.append((name, "missing", None, math.nan, math.nan, whole, len(edges), record.rows, record.positives))
        else:
            band = int(str(record.level))
            rows.append((name, "band", None, edges[band], edges[band + 1], whole, band, record.rows, record.positives))
    return pd.DataFrame(rows, columns=_RATE_COLUMNS).sort_values("position", ignore_index=True)


def _levels(name: str, found: pd.DataFrame, rows: int, positives: int) -> pd.DataFrame:
    """The most common levels by count, then all others together, then missing values."""
    missing = found[found["level"].isna()]
    named = found[found["level"].notna()].sort_values(["rows", "level"], ascending=[False, True])
    shown = named.head(LEVELS_SHOWN)
    parts: list[tuple[Any, ...]] = [
        (name, "level", str(record.level), math.nan, math.nan, False, place, record.rows, record.positives)
        for place, record in enumerate(records(shown))
    ]
    other = rows - int(shown["rows"].sum()) - int(missing["rows"].sum())
    if other:
        yes = positives - int(shown["positives"].sum()) - int(missing["positives"].sum())
        parts.append((name, "other", None, math.nan, math.nan, False, len(parts), other, yes))
    parts += [
        (name, "missing", None, math.nan, math.nan, False, len(parts), record.rows, record.positives)
        for record in records(missing)
    ]
    return pd.DataFrame(parts, columns=_RATE_COLUMNS)
