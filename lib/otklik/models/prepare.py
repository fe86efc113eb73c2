"""From named features to numbers: levels, medians and redundancy, fitted on a split's training part only.

A preparation is plain data: a list of slots, each a SQL expression over the feature columns. It is applied by Spark SQL
and saved as JSON. On the time split the training part is the past. On the random split it is all labelled rows, as each
fold is in the training part of the others: labels are not used, but frequencies of levels include the predicted fold.
Unseen and rare levels become (other), missing ones (missing) if training had them; a missing number becomes the
training median, with an indicator slot. A feature in `filled` (missing because of the future) gets the training's
median or most common level without an indicator.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError
from otklik.lake.store import sql_double, sql_text

OTHER, MISSING = "(other)", "(missing)"
#: Rows of the training part, drawn by key, on which correlations are measured.
SAMPLE_ROWS = 50_000
#: Rare levels that a finding names.
_RARE_NAMED = 5
_SLOT = "slot "
#: Number of events with numbers of their own.
MOST_EVENTS = 200
#: The type of a feature that holds events in their order.
ARRAY_OF_EVENTS = "array<string>"

DropRule = Literal["constant", "duplicate", "correlated"]


@dataclass(frozen=True)
class Slot:
    """One number of the feature vector.

    Args:
        name: its name for display, e.g. `job=student` or `age`.
        source: the feature column it comes from.
        level: the level, band, (other) or (missing); None for the number itself. A level of the data with the name of
            the last two is quoted.
        expression: Spark SQL over the feature columns; a double, never null.
        is_known_after: whether it becomes known only after the decision.
        is_event: whether it is an event of the row's sequence; see `event_slots`.
    """

    name: str
    source: str
    level: str | None
    expression: str
    is_known_after: bool
    is_event: bool = False


@dataclass(frozen=True)
class FeatureFinding:
    """A finding about a feature or a model; see gold.findings.

    Attributes:
        kind: its type; `otklik.report.findings` has its text in each language.
        feature: the column, or an empty string.
        parameters: parameters of the text, such as the other feature of a pair.
        value: its number.
        action: kept, dropped, merged, warned or left out.
    """

    kind: str
    feature: str
    parameters: Mapping[str, float | int | str]
    value: float
    action: str

    @property
    def row(self) -> dict[str, object]:
        """As gold.findings keeps it: the parameters are JSON in `detail`."""
        detail = json.dumps(dict(self.parameters), ensure_ascii=False, sort_keys=True)
        of_feature = {"kind": self.kind, "feature": self.feature}
        return {**of_feature, "detail": detail, "value": self.value, "action": self.action}


@dataclass(frozen=True)
class Preparation:
    """Slots and findings of a fitted preparation."""

    slots: tuple[Slot, ...]
    findings: tuple[FeatureFinding, ...]

    def only(self, *, with_leaks: bool, in_order: bool = False) -> tuple[Slot, ...]:
        """The slots that a model may see; slots of events come last, and only on request."""
        seen = [slot for slot in self.slots if with_leaks or not slot.is_known_after]
        events = [slot for slot in seen if slot.is_event and in_order]
        return (*(slot for slot in seen if not slot.is_event), *events)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"slots": [asdict(slot) for slot in self.slots]}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Preparation:
        """From JSON values."""
        return Preparation(tuple(Slot(**slot) for slot in values["slots"]), ())


@dataclass(frozen=True)
class Feature:
    """A feature column as training sees it."""

    name: str
    feature_type: Literal["number", "boolean", "text"]
    is_known_after: bool


@dataclass(frozen=True)
class Rules:
    """How to prepare; the task's [preparation] piece by piece."""

    rare_level_share: float
    maximum_levels: int
    maximum_correlation: float
    drop: tuple[DropRule, ...]
    log_scale: frozenset[str]
    categorical: frozenset[str]
    bands: Mapping[str, Sequence[float]]
    filled: frozenset[str] = frozenset()
    events: str | None = None
    last: int = 0


def features_of(rows: DataFrame, known_after: Mapping[str, bool]) -> tuple[Feature, ...]:
    """The feature columns of a feature table, by name and type; not its arrays of events."""
    types: dict[str, Literal["number", "boolean", "text"]] = {"string": "text", "boolean": "boolean"}
    return tuple(
        Feature(name, types.get(data_type, "number"), known_after[name])
        for name, data_type in rows.dtypes
        if name in known_after and data_type != ARRAY_OF_EVENTS
    )


def events_of(rows: DataFrame, known_after: Mapping[str, bool], wanted: str | None) -> tuple[FeatureFinding, ...]:
    """A finding for each feature that is an array of events, as only the network over events reads these.

    Args:
        rows: a feature table.
        known_after: feature column → whether it becomes known only after the decision.
        wanted: the column that the network reads.

    Raises:
        ConfigurationError: if it is not an array of events, or known only after the decision.
    """
    arrays = [name for name, data_type in rows.dtypes if name in known_after and data_type == ARRAY_OF_EVENTS]
    if wanted is not None and (wanted not in arrays or known_after[wanted]):
        fault = "is known only after the decision" if wanted in arrays else f"has type {dict(rows.dtypes)[wanted]}"
        raise ConfigurationError(
            f"the column must be an array<string> that is known before the decision; {wanted} {fault}",
            where="models.sequence.events",
            hint="collect the events before the moment in a SELECT, as recent_events.sql does",
        )
    return tuple(
        FeatureFinding("events_in_order", name, {}, 0.0, "kept" if name == wanted else "left out") for name in arrays
    )


def fit_preparation(train: DataFrame, features: Sequence[Feature], rules: Rules) -> Preparation:
    """Learn levels, medians and redundancy from the training part.

    Args:
        train: key and the feature columns; the training part only.
        features: the columns to use.
        rules: what to do with them.
    """
    texts = [f for f in features if _is_levels(f, rules)]
    numbers = [f for f in features if not _is_levels(f, rules)]
    rows, medians = _count_and_medians(train, numbers)
    levels = levels_of(train, [text.name for text in texts], rules.maximum_levels + _RARE_NAMED)
    slots: list[Slot] = []
    findings: list[FeatureFinding] = []
    for feature in features:
        if feature in texts:
            made, found = _level_slots(feature, levels.get(feature.name, Levels()), rows, rules)
        else:
            made, found = _number_slots(feature, medians[feature.name], rules), []
        slots += made
        findings += found
    prepared = _without_redundant(train, rows, tuple(slots), tuple(findings), rules)
    return prepared if rules.events is None else replace(prepared, slots=(*prepared.slots, *event_slots(train, rules)))


def event_slots(train: DataFrame, rules: Rules) -> tuple[Slot, ...]:
    """The newest events of a row as numbers, oldest first: 0 is no event, 1 a rare one.

    Args:
        train: the training part; its MOST_EVENTS most common events get numbers of their own.
        rules: `events` is the column, ARRAY<STRING>, the newest last; `last` is the number of slots.
    """
    counted = train.select(F.explode(f"`{rules.events}`").alias("event")).where("event IS NOT NULL").groupBy("event")
    common = counted.count().orderBy(F.desc("count"), "event").limit(MOST_EVENTS).collect()
    known = f"CAST(array({', '.join(sql_text(row.event) for row in common)}) AS ARRAY<STRING>)"

    def slot(back: int) -> Slot:
        place = f"array_position({known}, try_element_at(`{rules.events}`, -{back}))"
        number = f"CAST(coalesce({place} + 1, 0) AS DOUBLE)"
        return Slot(f"{rules.events}[-{back}]", str(rules.events), None, number, is_known_after=False, is_event=True)

    return tuple(slot(back) for back in range(rules.last, 0, -1))


def findings_of(preparations: Mapping[str, Preparation]) -> tuple[FeatureFinding, ...]:
    """Findings of the preparations of a task's splits, without repetition.

    A finding of all splits has the value of the first split; a finding of some of them names the split.

    Args:
        preparations: split → its preparation.
    """

    def what(finding: FeatureFinding) -> tuple[str, str, str]:
        return finding.kind, finding.feature, str(finding.row["detail"])

    common = set.intersection(*({what(f) for f in preparation.findings} for preparation in preparations.values()))
    found: dict[tuple[str, str, str], FeatureFinding] = {}
    for split, preparation in preparations.items():
        for finding in preparation.findings:
            is_common = what(finding) in common
            named = finding if is_common else replace(finding, parameters={**finding.parameters, "in_split": split})
            found.setdefault(what(named), named)
    return tuple(found.values())


def with_vectors(rows: DataFrame, vectors: Mapping[str, Sequence[Slot]]) -> DataFrame:
    """Add one vector column per name, each of its slots in order; sparse where that is shorter.

    Before every fit MLlib looks at each stored value of a vector for NaN, without generated code: with most levels of
    a category at zero, sparse vectors save a good part of a small fit.
    """
    for name, slots in vectors.items():
        places = {f"{_SLOT}{place}": F.expr(slot.expression) for place, slot in enumerate(slots)}
        filled = rows.withColumns(places)
        rows = VectorAssembler(inputCols=[*places], outputCol=name, handleInvalid="keep").transform(filled)
        # Of each slot a model need know no more than that it is a number.
        rows = rows.drop(*places).withMetadata(name, {"ml_attr": {"num_attrs": len(slots)}})
    return rows


def slot_array(slots: Sequence[Slot]) -> Column:
    """The slots as ARRAY<DOUBLE>."""
    return F.array(*(F.expr(slot.expression) for slot in slots))


def sample(rows: DataFrame, columns: Sequence[Column], limit: int, count: int, salt: str) -> pd.DataFrame:
    """At most about `limit` rows as a pandas frame, drawn by the hash of the key, in the order of that hash."""
    share = min(1.0, limit / max(count, 1))
    drawn = F.xxhash64("key", "as_of", F.lit(salt))
    kept = F.pmod(drawn, F.lit(1_000_000)) < int(share * 1_000_000)
    return rows.where(kept).select(drawn.alias("_drawn"), *columns).toPandas().sort_values("_drawn", kind="stable")


def means_of(rows: DataFrame, column: str) -> np.ndarray:
    """(slots,) mean of each number in a column of arrays: added up where the rows are, for they need not fit here."""

    def added(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            if len(batch):
                yield pd.DataFrame({"rows": [len(batch)], "total": [matrix(batch, column).sum(axis=0)]})

    sums = rows.select(column).mapInPandas(added, "rows BIGINT, total ARRAY<DOUBLE>").toPandas()
    means: np.ndarray = matrix(sums, "total").sum(axis=0) / sums["rows"].sum()
    return means


def matrix(frame: pd.DataFrame, column: str) -> np.ndarray:
    """A column of arrays as rows × slots."""
    return np.vstack(list(frame[column])) if len(frame) else np.empty((0, 0))


def _is_levels(feature: Feature, rules: Rules) -> bool:
    return feature.feature_type == "text" or feature.name in rules.categorical


def _count_and_medians(train: DataFrame, numbers: Sequence[Feature]) -> tuple[int, dict[str, tuple[float, int]]]:
    """Rows; and for each number its median and how many are missing."""
    wanted = [F.count("*").alias("rows")]
    for feature in numbers:
        number = F.col(f"`{feature.name}`").cast("double")
        wanted += [F.median(number).alias(f"median {feature.name}"), F.count(number).alias(f"known {feature.name}")]
    row = train.agg(*wanted).collect()[0].asDict()
    total = int(row["rows"])
    medians = {f.name: (float(row[f"median {f.name}"] or 0.0), total - int(row[f"known {f.name}"])) for f in numbers}
    return total, medians


@dataclass(frozen=True)
class Levels:
    """What is known of the levels of a column.

    Attributes:
        commonest: (level, rows) of some, the commonest first, ties by name.
        count: how many levels there are in all.
        known: rows with a level.
        missing: rows without one.
    """

    commonest: tuple[tuple[str, int], ...] = ()
    count: int = 0
    known: int = 0
    missing: int = 0


def levels_of(rows: DataFrame, names: Sequence[str], wanted: int) -> dict[str, Levels]:
    """The most common levels of each column, up to a maximum number, and the total; empty without rows.

    One pass over the data. Columns with as many levels as rows are not collected completely.
    """
    if not names:
        return {}
    pairs = F.array(
        *(F.struct(F.lit(n).alias("feature"), F.col(f"`{n}`").cast("string").alias("level")) for n in names)
    )
    counted = rows.select(F.explode(pairs).alias("pair")).groupBy("pair.feature", "pair.level").count()
    of_feature, is_missing, found = Window.partitionBy("feature"), F.col("level").isNull(), F.col("count")
    ranked = counted.select(
        "feature",
        "level",
        found,
        F.row_number().over(of_feature.orderBy(is_missing, found.desc(), "level")).alias("rank"),
        F.count("level").over(of_feature).alias("levels"),
        F.sum(F.when(~is_missing, found).otherwise(0)).over(of_feature).alias("known"),
        F.sum(F.when(is_missing, found).otherwise(0)).over(of_feature).alias("missing"),
    )
    commonest = ranked.where(F.col("rank") <= wanted).toPandas().sort_values(["feature", "rank"])
    return {
        str(name): Levels(
            tuple(those.loc[those["level"].notna(), ["level", "count"]].itertuples(index=False, name=None)),
            *(int(those[total].iloc[0]) for total in ("levels", "known", "missing")),
        )
        for name, those in commonest.groupby("feature")
    }


def _level_slots(feature: Feature, levels: Levels, rows: int, rules: Rules) -> tuple[list[Slot], list[FeatureFinding]]:
    least = rules.rare_level_share * rows
    kept = [level for level, count in levels.commonest if count >= least][: rules.maximum_levels]
    rare = levels.count - len(kept)
    text = f"CAST(`{feature.name}` AS STRING)"
    is_filled = feature.name in rules.filled and bool(levels.commonest)
    if is_filled:
        text = f"coalesce({text}, {sql_text(levels.commonest[0][0])})"
    is_kept = f"coalesce({text} IN ({', '.join(map(sql_text, kept))}), false)" if kept else "false"
    has_missing = levels.missing > 0 and not is_filled
    slots = [
        _slot(feature, _named(level), f"CAST(coalesce({text} = {sql_text(level)}, false) AS DOUBLE)")
        for level in sorted(kept)
    ]
    if has_missing:
        slots.append(_slot(feature, MISSING, f"CAST({text} IS NULL AS DOUBLE)"))
    other = f"NOT {is_kept} AND {text} IS NOT NULL" if has_missing else f"NOT {is_kept}"
    slots.append(_slot(feature, OTHER, f"CAST({other} AS DOUBLE)"))
    findings = []
    if rare:
        merged = levels.known - sum(count for _, count in levels.commonest[: len(kept)])
        some = [level for level, _ in levels.commonest[len(kept) :][:_RARE_NAMED]]
        names = ", ".join(some) + (" …" if rare > len(some) else "")
        findings.append(FeatureFinding("rare_levels", feature.name, {"count": rare, "levels": names}, merged, "merged"))
    return slots, findings


def _named(level: str) -> str:
    """The name of a level; one that equals a reserved name is quoted."""
    return f'"{level}"' if level in (OTHER, MISSING) else level


def _number_slots(feature: Feature, median: tuple[float, int], rules: Rules) -> list[Slot]:
    fill, missing = median
    number = f"CAST(`{feature.name}` AS DOUBLE)"
    value = f"coalesce({number}, {fill!r}D)"
    if feature.name in rules.filled:
        number, missing = value, 0
    if feature.name in rules.log_scale:
        value = f"signum({value}) * ln(1 + abs({value}))"
    slots = [_slot(feature, None, value)]
    if missing:
        slots.append(_slot(feature, MISSING, f"CAST({number} IS NULL AS DOUBLE)"))
    cuts = [-float("inf"), *rules.bands.get(feature.name, ()), float("inf")]
    if len(cuts) > 2:
        for low, high in pairwise(cuts):
            above = f"{number} >= {low!r}D" if low > -float("inf") else "true"
            below = f"{number} < {high!r}D" if high < float("inf") else "true"
            slots.append(
                _slot(
                    feature,
                    band_name(low, high),
                    f"CAST(coalesce({above} AND {below} AND {number} IS NOT NULL, false) AS DOUBLE)",
                )
            )
    return slots


def band_name(low: float, high: float) -> str:
    """A half-open band for people: `<30`, `30–60`, `≥60`."""
    if low == -float("inf"):
        return f"<{high:g}"
    return f"≥{low:g}" if high == float("inf") else f"{low:g}–{high:g}"


def _slot(feature: Feature, level: str | None, expression: str) -> Slot:
    name = feature.name if level is None else f"{feature.name}={level}"
    return Slot(name, feature.name, level, expression, feature.is_known_after)


def _without_redundant(
    train: DataFrame, rows: int, slots: tuple[Slot, ...], findings: tuple[FeatureFinding, ...], rules: Rules
) -> Preparation:
    """Find constant, duplicate and highly correlated features of the training part, and drop them as configured.

    Correlations come from a sample; constant and duplicate features are verified on all rows. A number (or boolean) is
    a duplicate if its values are equal, a string if its levels always occur together, whatever their names. The later
    feature of a pair is dropped, but a feature known only after the decision never replaces another.
    """
    frame = sample(train, [slot_array(slots).alias("slots")], SAMPLE_ROWS, rows, "redundant")
    # Adding zero turns −0.0 into 0.0.
    numbers: npt.NDArray[np.float64] = np.add(matrix(frame, "slots"), 0.0)
    twins, has_one_value = _alike(numbers, slots)
    if len(numbers) < rows:
        twins, has_one_value = _alike_everywhere(train, slots, numbers, twins, has_one_value)
    found: list[FeatureFinding] = []
    dropped: set[str] = set()

    def note(kind: DropRule, places: Sequence[int], other: str, value: float) -> None:
        drops = kind in rules.drop
        parameters = {"other": other} if other else {}
        found.append(FeatureFinding(kind, slots[places[0]].source, parameters, value, "dropped" if drops else "kept"))
        if drops:
            dropped.update(slots[place].name for place in places)

    deviations = numbers.std(axis=0) if len(numbers) else np.zeros(len(slots))
    by_source: dict[str, list[int]] = {}
    for position, slot in enumerate(slots):
        by_source.setdefault(slot.source, []).append(position)
    for positions in by_source.values():
        if all(has_one_value[position] for position in positions):
            note("constant", positions, "", 1.0)
    for source, double in _doubled_levels(slots, by_source, twins, has_one_value):
        note("duplicate", by_source[double], source, 1.0)
    main = [p for p, s in enumerate(slots) if s.level is None and deviations[p] > 0]
    main.sort(key=lambda p: slots[p].is_known_after)
    if len(main) > 1:
        correlation = np.atleast_2d(np.corrcoef(numbers[:, main], rowvar=False))
        for i, first in enumerate(main):
            for j in range(i + 1, len(main)):
                second = main[j]
                if slots[first].name in dropped or slots[second].name in dropped:
                    continue
                strength = float(abs(correlation[i, j]))
                pair = slots[first].source
                if twins[first] == twins[second]:
                    note("duplicate", _same_places(twins, by_source, slots[first], slots[second]), pair, 1.0)
                elif strength > rules.maximum_correlation:
                    note("correlated", [second], pair, strength)
    kept = tuple(slot for slot in slots if slot.name not in dropped)
    return Preparation(kept, (*findings, *found))


def _alike(numbers: npt.NDArray[np.float64], slots: Sequence[Slot]) -> tuple[list[int], list[bool]]:
    """Of each slot the first one that has the same values, and whether it has one value, in these rows."""
    if not len(numbers):
        return list(range(len(slots))), [True] * len(slots)
    firsts: dict[bytes, int] = {}
    twins = [firsts.setdefault(numbers[:, place].tobytes(), place) for place in range(len(slots))]
    return twins, [bool(one) for one in np.ptp(numbers, axis=0) == 0]


def _alike_everywhere(
    train: DataFrame,
    slots: Sequence[Slot],
    numbers: npt.NDArray[np.float64],
    twins: Sequence[int],
    has_one_value: Sequence[bool],
) -> tuple[list[int], list[bool]]:
    """The pairs found by `_alike` in a sample that hold for all rows; one more pass if there are any."""
    claims = {p: sql_double(numbers[0, p]) for p, is_one in enumerate(has_one_value) if is_one}
    claims |= {p: slots[twin].expression for p, twin in enumerate(twins) if twin != p and p not in claims}
    if not claims:
        return list(twins), list(has_one_value)
    asked = [F.expr(f"bool_and(({slots[p].expression}) = ({other}))").alias(str(p)) for p, other in claims.items()]
    holds = train.agg(*asked).collect()[0].asDict()
    fails = {place for place in claims if not holds[str(place)]}
    return (
        [place if fails & {place, twin} else twin for place, twin in enumerate(twins)],
        [is_one and place not in fails for place, is_one in enumerate(has_one_value)],
    )


def _same_places(twins: Sequence[int], by_source: Mapping[str, Sequence[int]], first: Slot, second: Slot) -> list[int]:
    """The slots of a duplicate number that repeat slots of the first: its value and its missing indicator."""
    said = {twins[place] for place in by_source[first.source]}
    return [place for place in by_source[second.source] if twins[place] in said]


def _doubled_levels(
    slots: Sequence[Slot],
    by_source: Mapping[str, Sequence[int]],
    twins: Sequence[int],
    has_one_value: Sequence[bool],
) -> list[tuple[str, str]]:
    """Pairs of categorical features whose levels always occur together: the first and its duplicate."""
    told = {
        source: frozenset(twins[p] for p in places if not has_one_value[p])
        for source, places in by_source.items()
        if all(slots[p].level is not None for p in places)
    }
    texts = sorted((s for s, those in told.items() if those), key=lambda s: slots[by_source[s][0]].is_known_after)
    firsts: dict[frozenset[int], str] = {}
    doubled = ((firsts.setdefault(told[source], source), source) for source in texts)
    return [(first, source) for first, source in doubled if first != source]
