"""From input frames and SELECTs to one row per entity and decision moment, as of a moment.

Two clocks: when it happened and when we knew it. Every input frame reaches SQL with `known_at`, and without the rows
that were not known at the as-of moment; inside, each SELECT compares `known_at` and its events' times with the row's
own moment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from types import MappingProxyType

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, RefusedError
from otklik.features.catalogue import Select

#: Before the latest known moment is found, nothing is cut off.
END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)
_ROW_COLUMNS = {"key", "moment", "label", "unit", "position"}
#: What a feature table and its training call their own columns.
_OWN_NAMES = {"as_of", "fold", "row_hash"} | {
    f"features{order}{leaks}" for order in ("", "_in_order") for leaks in ("", "_with_leaks")
}
#: Digits of a file's hash that name its rows.
_CONTENT_DIGITS = 16
#: How seldom the last answers may all be yes by chance.
_BY_CHANCE = 0.001
#: A label that is neither yes nor no.
_ODD = 2
_BRACES = re.compile(r"(?P<frame>\{[a-z][a-z0-9_]*\})|[{}]")
#: So many of the newest days are looked at for rows that lie far behind all others.
_DAYS_LOOKED_AT = 1_000
#: Days without a row from which on a gap may be one.
_LEAST_GAP, _YEAR = 30, 365
#: From here on a number is what programs write for a missing one (the greatest double, or the greatest float): no
#: quantity is so large, and its square, which a model takes, may have no place in a double.
_TOO_LARGE = 1e38
_TIMES, _MICROS_OF_A_DAY = ("date", "timestamp", "timestamp_ntz"), 86_400_000_000
_NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double")


@dataclass(frozen=True)
class RowCounts:
    """Counts of the task's rows.

    `only_yes_after`: the moment of the last no, if later rows are yes or unlabelled more often than chance explains:
    labels were recorded before all of them were final.
    """

    rows: int
    labelled: int
    positives: int
    immature: int
    unlabelled: int
    only_yes_after: datetime | None


def with_known_at(rows: DataFrame) -> DataFrame:
    """Add known_at TIMESTAMP: from the contract or from arrival; null for untimed history."""
    if "known_at" in rows.columns:
        return rows
    if "_known_at" in rows.columns:
        return rows.withColumn("known_at", F.col("_known_at"))
    return rows.withColumn("known_at", F.lit(None).cast("timestamp"))


def with_row_id(rows: DataFrame, contents: Mapping[str, str]) -> DataFrame:
    """Add row_id STRING, an identifier for rows of a source without a key.

    It consists of the file's content hash and the record number, as `_record_no` alone identifies rows within one file
    only. It is the same in any lake and under any file name; a row in several files has the id of the first one.

    Args:
        rows: rows of a silver table; others, and those with a column of that name, are returned unchanged.
        contents: batch → sha-256 of its file.
    """
    if "row_id" in rows.columns or not {"_batch", "_record_no"} <= {*rows.columns}:
        return rows
    # One literal, however many files there are; where nobody asks for the column, it is not computed.
    pairs = ",".join(f"{batch}:{content[:_CONTENT_DIGITS]}" for batch, content in sorted(contents.items()))
    content = F.str_to_map(F.lit(pairs))[F.col("_batch")]
    return rows.withColumn("row_id", F.concat_ws("-", F.coalesce(content, F.col("_batch")), F.col("_record_no")))


def only_known(rows: DataFrame, as_of: datetime) -> DataFrame:
    """Rows that were known at the moment; untimed ones always are."""
    return with_known_at(rows).where(F.col("known_at").isNull() | (F.col("known_at") <= F.lit(as_of)))


@dataclass(frozen=True)
class Latest:
    """The latest moment of some rows.

    Attributes:
        moment: the moment.
        beyond: number of ignored later rows: after the arrival of their file, or long after all others.
        farthest: the latest moment of these.
        origin: what set the moment: the first row that has it, with its file and table, or a run; empty if unknown.
    """

    moment: datetime
    beyond: int = 0
    farthest: datetime | None = None
    origin: str = ""

    def __str__(self) -> str:
        """The moment and what set it."""
        return f"{self.moment:%Y-%m-%d %H:%M} UTC" + (f", set by {self.origin}" if self.origin else "")

    @property
    def remark(self) -> str:
        """A message about the ignored rows; empty if there are none."""
        if self.farthest is None:
            return ""
        return (
            f"the moment is {self}: {self.beyond:,} rows lie later, up to {self.farthest:%Y-%m-%d}, after their file's "
            "arrival or far from all others, and do not set it (--as-of)"
        )


def latest_known(inputs: Mapping[str, DataFrame]) -> Latest | None:
    """The latest moment at which anything in the inputs (table → rows) became known; None where all are untimed."""
    return latest_of(reduce(DataFrame.union, [_known_and_arrived(table, rows) for table, rows in inputs.items()]))


def latest_of(moments: DataFrame) -> Latest | None:
    """The latest plausible moment of rows, robust to wrong clocks.

    Rows after the arrival of their file are ignored. So are rows after a gap of more than a year, or of more than the
    whole time before it, if they are fewer than one in a hundred of the rows of the last days.

    Args:
        moments: moment TIMESTAMP, arrived_at TIMESTAMP or null, and perhaps `at`, a struct of table, file and record:
            where each row stands.

    Returns:
        None if no row has a moment.
    """
    arrived_first = F.col("arrived_at").isNotNull() & (F.col("moment") > F.col("arrived_at"))
    days = moments.where("moment IS NOT NULL").groupBy(
        F.expr("unix_date(to_date(moment))").alias("day"), arrived_first.alias("is_beyond")
    )
    counted = days.agg(F.count("*").alias("rows"), F.max(F.unix_micros("moment")).alias("last"))
    newest = counted.orderBy(F.desc("last")).limit(_DAYS_LOOKED_AT).collect()
    if not newest:
        return None
    possible = [row for row in newest if not row.is_beyond] or newest
    last = possible[_behind_gap(possible, counted)]["last"]
    beyond = [row for row in newest if row["last"] > last]
    moment = _from_micros(last)
    farthest = _from_micros(beyond[0]["last"]) if beyond else None
    origin = _first_at(moments, moment) if "at" in moments.columns else ""
    return Latest(moment, sum(row.rows for row in beyond), farthest, origin)


def _first_at(moments: DataFrame, moment: datetime) -> str:
    """Where the first row with this moment stands.

    Not found along with the moment, as the rows of one moment are few, and Delta passes over the files of others.
    """
    [[at]] = moments.where(F.col("moment") == F.lit(moment)).agg(F.min("at")).collect()
    if at is None or at["file"] is None or at["record"] is None:
        return ""
    return f"record {at['record']:,} of {at['file']} ({at['table']})"


def _behind_gap(days: Sequence[Row], counted: DataFrame) -> int:
    """The place, in days from the newest to older ones, of the first that is not far from all others."""
    gap = next((place for place in range(1, len(days)) if days[place - 1].day - days[place].day > _LEAST_GAP), None)
    if gap is None:
        return 0
    whole = counted.agg(F.sum("rows").alias("rows"), F.min("day").alias("first")).collect()[0]
    length, before = days[gap - 1].day - days[gap].day, days[gap].day - whole["first"]
    is_long = length > min(before, _YEAR)
    return gap if is_long and 100 * sum(day.rows for day in days[:gap]) < whole["rows"] else 0


def _known_and_arrived(table: str, rows: DataFrame) -> DataFrame:
    told = {"arrived_at": ("_arrived_at", "timestamp"), "file": ("_file", "string"), "record": ("_record_no", "bigint")}
    arrived, *place = (
        (F.col(theirs) if theirs in rows.columns else F.lit(None)).cast(type_).alias(name)
        for name, (theirs, type_) in told.items()
    )
    at = F.struct(F.lit(table).alias("table"), *place).alias("at")
    return with_known_at(rows).select(F.col("known_at").alias("moment"), arrived, at)


def _from_micros(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def rows_of_task(
    spark: SparkSession,
    select: Select,
    inputs: Mapping[str, DataFrame],
    *,
    as_of: datetime,
    label_window: timedelta,
) -> DataFrame:
    """The rows the task is about, with labels only where the label's window is over.

    Returns:
        key, moment, unit, label, label_state (yes | no | immature | unlabelled), position.

    Raises:
        ConfigurationError: if the SELECT does not run or lacks a column.
    """
    found = run_select(spark, select, inputs, as_of)
    missing, unknown = {"key", "moment"} - set(found.columns), set(found.columns) - _ROW_COLUMNS
    if missing or unknown:
        raise ConfigurationError(
            f"must return key and moment, and may return label, unit and position; missing: {_listed(missing)}, "
            f"unexpected: {_listed(unknown)}",
            where=f"{select.name}.sql",
            hint="features belong in a feature file",
        )
    for column, default in (("unit", F.col("key")), ("label", F.lit(None)), ("position", F.lit(None))):
        if column not in found.columns:
            found = found.withColumn(column, default)
    is_immature = F.col("moment") + F.lit(label_window) > F.lit(as_of)
    # Anything else that is given (.8, 2) becomes a number that `count_rows` refuses, never a rounded answer.
    given = F.col("label").cast("double")
    answer = F.when(given == 1, 1).when(given == 0, 0).when(given.isNotNull(), _ODD)
    label = F.when(~is_immature, answer)
    state = F.when(is_immature, "immature").when(label.isNull(), "unlabelled").when(label == 1, "yes").otherwise("no")
    return found.where(F.col("moment").isNull() | (F.col("moment") <= F.lit(as_of))).select(
        F.col("key").cast("string").alias("key"),
        F.col("moment").cast("timestamp").alias("moment"),
        F.col("unit").cast("string").alias("unit"),
        label.alias("label"),
        state.alias("label_state"),
        F.col("position").cast("bigint").alias("position"),
    )


def count_rows(rows: DataFrame, where: str) -> RowCounts:
    """Count the task's rows and check that they are valid and unique.

    Raises:
        RefusedError: if a key, moment or unit is null, a key and moment occur twice, a label is neither 0 nor 1, or
            there is no row.
    """
    # Only numbers are counted up per row: a text among them would have the rows sorted.
    counted = {
        "rows": F.count("*"),
        "nameless": F.count_if(F.col("key").isNull() | F.col("moment").isNull() | F.col("unit").isNull()),
        "odd": F.count_if(F.col("label").isNotNull() & ~F.col("label").isin(0, 1)),
        "labelled": F.count_if(F.col("label").isNotNull()),
        "positives": F.count_if(F.col("label") == 1),
        "immature": F.count_if(F.col("label_state") == "immature"),
        "unlabelled": F.count_if(F.col("label_state") == "unlabelled"),
    }
    per_row = rows.groupBy("key", "moment").agg(*(count.alias(name) for name, count in counted.items()))
    newest = {
        "yes": F.col("positives") > 0,
        "no": F.col("labelled") > F.col("positives"),
        "open": F.col("unlabelled") > 0,
    }
    counts = per_row.agg(
        *(F.sum(name).alias(name) for name in counted),
        F.count_if(F.col("rows") > 1).alias("doubled"),
        *(F.max(F.when(holds, F.col("moment"))).alias(f"newest_{answer}") for answer, holds in newest.items()),
    ).collect()[0]
    hint = "correct the SELECT; no row is dropped silently"
    if counts.doubled:
        raise RefusedError(f"{counts.doubled} rows share key and moment with another row", where=where, hint=hint)
    if counts.nameless:
        raise RefusedError(f"{counts.nameless} rows have no key, no moment or no unit", where=where, hint=hint)
    if counts.odd:
        raise RefusedError(f"{counts.odd} labels are neither 0 nor 1", where=where, hint=hint)
    if not counts.rows:
        raise RefusedError("there are no rows up to the as-of moment", where=where, hint="check --as-of and the inputs")
    no = counts.newest_no
    is_behind = no is not None and all(one is not None and one > no for one in (counts.newest_yes, counts.newest_open))
    if is_behind:
        only_yes = rows.where((F.col("label") == 1) & (F.col("moment") > F.lit(no.astimezone(UTC)))).count()
        rate_before = (counts.positives - only_yes) / (counts.labelled - only_yes)
        is_behind = rate_before**only_yes < _BY_CHANCE
    return RowCounts(
        counts.rows,
        counts.labelled,
        counts.positives,
        counts.immature,
        counts.unlabelled,
        no.astimezone(UTC) if is_behind else None,
    )


def with_features(
    spark: SparkSession,
    rows: DataFrame,
    selects: Sequence[tuple[Select, Sequence[str]]],
    inputs: Mapping[str, DataFrame],
    as_of: datetime,
    known_after: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> DataFrame:
    """Add each SELECT's columns to the rows; they are null in rows that a SELECT does not return.

    Args:
        spark: the session.
        rows: from `rows_of_task`; SELECTs see its key, moment, unit and position as {rows}, never the label.
        selects: SELECTs, each with the columns to leave out.
        inputs: frame name → rows known at the as-of moment.
        as_of: the moment, UTC.
        known_after: frame name → its columns known only after the decision; a SELECT sees those its header declares.

    Raises:
        ConfigurationError: if a SELECT fails, reads undeclared columns known only after the decision, returns other
            columns than its header documents, or two return the same name.
    """
    blind = rows.select("key", "moment", "unit", "position")
    joined = rows
    for select, left_out in selects:
        hidden = {frame: [n for n in names if n not in select.may_read] for frame, names in known_after.items()}
        seen = {frame: inputs[frame].drop(*hidden.get(frame, [])) for frame in inputs}
        found = run_select(spark, select, {**seen, "rows": blind}, as_of, hidden)
        _check_header(select, found)
        wanted = [c.name for c in select.columns if c.name not in left_out]
        taken = set(wanted) & {*joined.columns, *_OWN_NAMES}
        if taken:
            raise ConfigurationError(
                f"returns columns that another file already returns: {_listed(taken)}",
                where=f"{select.name}.sql",
                hint="rename them in one of the files, or exclude them there (leave_out)",
            )
        typed = found.select("key", "moment", *(_plain(found, select, name) for name in wanted))
        joined = joined.join(typed, on=["key", "moment"], how="left")
    return joined


def _plain(found: DataFrame, select: Select, name: str) -> Column:
    """A column as features are stored; of a date or time, the days from it to the row's moment."""
    data_type = dict(found.dtypes)[name]
    column = F.col(f"`{name}`")
    if data_type in _TIMES:
        passed = F.unix_micros("moment") - F.unix_micros(column.cast("timestamp"))
        return (passed / F.lit(_MICROS_OF_A_DAY)).alias(name)
    if data_type.startswith("decimal") or data_type in ("float", "double"):
        # What is not a number, or without end, is a missing one: no median and no model can take it.
        number = column.cast("double")
        return F.when(F.abs(number) < F.lit(_TOO_LARGE), number).alias(name)
    if data_type in ("tinyint", "smallint", "int"):
        return column.cast("bigint").alias(name)
    if data_type in ("string", "boolean", "array<string>", *_NUMBERS):
        return column
    raise ConfigurationError(
        f"column {name} has type {data_type}; a feature must be a number, a date, a string, a boolean or an array of "
        "strings",
        where=f"{select.name}.sql",
        hint="convert it to a number, such as days since, an hour or a share",
    )


def _check_header(select: Select, found: DataFrame) -> None:
    given = set(found.columns) - {"key", "moment"}
    documented = {column.name for column in select.columns}
    twice = {name for name in found.columns if found.columns.count(name) > 1}
    if twice:
        raise ConfigurationError(
            f"returns columns more than once: {_listed(twice)}", where=f"{select.name}.sql", hint="rename them"
        )
    if given != documented or not {"key", "moment"} <= set(found.columns):
        raise ConfigurationError(
            f"its columns do not match its header; only in the header: {_listed(documented - given)}, "
            f"only in the SELECT: {_listed(given - documented)}",
            where=f"{select.name}.sql",
            hint="document every column with `-- column name: meaning | смысл`, and return key and moment",
        )


def run_select(
    spark: SparkSession,
    select: Select,
    frames: Mapping[str, DataFrame],
    as_of: datetime,
    hidden: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> DataFrame:
    """The rows of a SELECT over frames by name.

    Args:
        spark: the session.
        select: the SELECT.
        frames: those it may name.
        as_of: the moment, UTC; the SELECT knows it as :as_of.
        hidden: frame → columns that it lacks because they are known only after the decision, for the message.

    Raises:
        ConfigurationError: if Spark cannot run it.
    """
    named = {name: frame for name, frame in frames.items() if f"{{{name}}}" in select.text}
    # Only where frames are named Spark looks for them, and takes doubled braces for one.
    text = _with_own_braces(select.text) if named else select.text
    try:
        return spark.sql(text, args={"as_of": as_of}, **named)
    except KeyError as fault:
        raise ConfigurationError(
            f"no input frame {fault}", where=f"{select.name}.sql", hint="name it in the task's [inputs]"
        ) from fault
    except (AnalysisException, ValueError) as fault:
        asked = unresolved_column(fault)
        frame = next((frame for frame in named if asked in hidden.get(frame, [])), None)
        if frame is not None:
            raise ConfigurationError(
                f"reads {asked} of {frame}, which is known only after the decision",
                where=f"{select.name}.sql",
                hint=f"leave it out, or say in the header why it is not a leak: `-- reads [after] {asked}: why`",
            ) from fault
        raise ConfigurationError(
            f"invalid SELECT: {str(fault).splitlines()[0]}",
            where=f"{select.name}.sql",
            hint="correct it; personal columns of the inputs are not available",
        ) from fault


def _with_own_braces(text: str) -> str:
    """The text such that Spark takes only a name in braces for a frame; patterns and JSON have braces of their own."""
    return _BRACES.sub(lambda found: found[0] if found["frame"] else found[0] * 2, text)


def unresolved_column(fault: Exception) -> str | None:
    """The bare name of the column that Spark did not find, where that is the fault."""
    if not isinstance(fault, AnalysisException) or not (fault.getCondition() or "").startswith("UNRESOLVED_COLUMN"):
        return None
    asked = (fault.getMessageParameters() or {}).get("objectName", "")
    return asked.rpartition(".")[2].strip("`").lower()


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
