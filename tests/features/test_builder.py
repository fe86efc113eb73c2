"""The two clocks, the states of a label, and what a SELECT may give."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from otklik.errors import ConfigurationError, RefusedError
from otklik.features.builder import (
    RowCounts,
    count_rows,
    latest_known,
    latest_of,
    only_known,
    rows_of_task,
    with_features,
    with_row_id,
)
from otklik.features.catalogue import read_select
from otklik.lake.content import content_hash

MOMENT = datetime(2026, 3, 10, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
CONTACTS = (
    "contact_id STRING, customer_id STRING, contacted_at TIMESTAMP, channel STRING, call_number INT, "
    "talk_seconds INT, responded_at TIMESTAMP, known_at TIMESTAMP"
)
ROWS = "key STRING, moment TIMESTAMP, unit STRING, label INT, label_state STRING, position BIGINT"


def contacts(spark: SparkSession, *earlier: tuple[datetime, datetime, datetime]) -> DataFrame:
    """Contact c0 of customer u at MOMENT, and earlier ones as (contacted, responded, known)."""
    rows: list[tuple[Any, ...]] = [("c0", "u", MOMENT, "phone", 9, 60, None, MOMENT)]
    rows += [
        (f"e{i}", "u", happened, "phone", i, 60, responded, known)
        for i, (happened, responded, known) in enumerate(earlier)
    ]
    return spark.createDataFrame(rows, CONTACTS)


def row_of(spark: SparkSession, *keys: str) -> DataFrame:
    return spark.createDataFrame([(key, MOMENT, "u", 1, "yes", None) for key in keys or ("c0",)], ROWS)


def select_of(folder: Path, text: str, name: str = "mine") -> Any:
    (folder / f"{name}.sql").write_text(text, encoding="utf-8")
    return read_select(name, {}, [folder])


def test_a_microsecond_decides_on_both_clocks(spark: SparkSession) -> None:
    fine = (MOMENT - DAY, MOMENT - DAY, MOMENT - DAY)
    frame = contacts(
        spark,
        fine,
        (MOMENT - TICK, MOMENT, MOMENT),  # happened just before, answered and known just in time
        (MOMENT, MOMENT, MOMENT),  # happens at the moment itself: not earlier
        (MOMENT - DAY, MOMENT + TICK, MOMENT),  # answered too late
        (MOMENT - DAY, MOMENT - DAY, MOMENT + TICK),  # known too late
    )
    select = read_select("contact_plan", {}, [])
    marked = {"contacts": ["talk_seconds", "responded_at"]}

    found = with_features(spark, row_of(spark), [(select, [])], {"contacts": frame}, MOMENT + DAY, marked).collect()

    assert [(row.key, row.previous_responses, row.call_number) for row in found] == [("c0", 2, 9)]


def test_what_was_not_known_at_the_as_of_moment_is_not_there(spark: SparkSession) -> None:
    known = [MOMENT - TICK, MOMENT, MOMENT + TICK, None]
    timed = spark.createDataFrame([(i, at) for i, at in enumerate(known)], "id INT, known_at TIMESTAMP")
    arrived = timed.withColumnRenamed("known_at", "_known_at")

    assert {row.id for row in only_known(timed, MOMENT).collect()} == {0, 1, 3}
    assert {row.id for row in only_known(arrived, MOMENT).collect()} == {0, 1, 3}
    assert only_known(timed.select("id"), MOMENT).count() == 4
    latest = latest_known({"silver.timed": timed, "silver.untimed": timed.select("id")})
    assert latest is not None
    assert (latest.moment, latest.remark, latest.origin) == (MOMENT + TICK, "", "")
    assert latest_known({"silver.untimed": timed.select("id")}) is None


def test_a_label_counts_when_its_window_is_over(spark: SparkSession, tmp_path: Path) -> None:
    window = timedelta(days=7)
    asked = [
        ("over", MOMENT - window, 1),
        ("over_no", MOMENT - window, 0),
        ("open", MOMENT - window + TICK, 1),
        ("nobody_knows", MOMENT - window, None),
        ("now", MOMENT, 1),
        ("later", MOMENT + TICK, 1),
    ]
    frame = spark.createDataFrame(asked, "key STRING, moment TIMESTAMP, label INT")
    select = select_of(tmp_path, "SELECT key, moment, label FROM {asked}")

    rows = rows_of_task(spark, select, {"asked": frame}, as_of=MOMENT, label_window=window).cache()

    assert {row.key: (row.label, row.label_state) for row in rows.collect()} == {
        "over": (1, "yes"),
        "over_no": (0, "no"),
        "open": (None, "immature"),
        "nobody_knows": (None, "unlabelled"),
        "now": (None, "immature"),
    }
    counts = count_rows(rows, "mine.sql")
    assert counts == RowCounts(rows=5, labelled=2, positives=1, immature=2, unlabelled=1, only_yes_after=None)


def test_answers_that_are_all_yes_from_a_day_on_are_noticed(spark: SparkSession) -> None:
    """Whoever said yes was written down when the file was drawn; who might still say it had no answer."""
    answers = [*[("yes", 1), ("no", 1)] * 9, ("unlabelled", 1), *[("yes", 2)] * 18, ("unlabelled", 3)]
    rows = spark.createDataFrame(
        [
            (f"c{i}", MOMENT + day * DAY, "u", {"yes": 1, "no": 0}.get(state), state)
            for i, (state, day) in enumerate(answers)
        ],
        "key STRING, moment TIMESTAMP, unit STRING, label INT, label_state STRING",
    )

    assert count_rows(rows, "mine.sql").only_yes_after == MOMENT + DAY
    nobody_is_open, by_chance = rows.where("key <> 'c37'"), rows.where("key NOT BETWEEN 'c20' AND 'c34'")
    assert count_rows(nobody_is_open, "mine.sql").only_yes_after is None
    assert count_rows(by_chance, "mine.sql").only_yes_after is None


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([("a", MOMENT, "u", 1), ("a", MOMENT, "u", 0)], "1 rows share key and moment with another row"),
        ([(None, MOMENT, "u", 1), ("b", None, "u", 1), ("c", MOMENT, None, 1)], "3 rows have no key, no moment or no"),
        ([("a", MOMENT, "u", 2)], "1 labels are neither 0 nor 1"),
        ([], "there are no rows up to the as-of moment"),
    ],
)
def test_rows_that_could_not_be_told_apart_are_refused(spark: SparkSession, rows: list, fault: str) -> None:
    frame = spark.createDataFrame([(key, at, unit, label, "yes", None) for key, at, unit, label in rows], ROWS)

    with pytest.raises(RefusedError, match=rf"mine\.sql: {fault}"):
        count_rows(frame, "mine.sql")


def test_a_label_is_never_rounded_to_an_answer(spark: SparkSession, tmp_path: Path) -> None:
    frame = spark.createDataFrame([("a", 0.8), ("b", 1.9), ("c", 1.0), ("d", 0.0)], "key STRING, label DOUBLE")
    select = select_of(tmp_path, "SELECT key, TIMESTAMP '2026-01-01' AS moment, label FROM {asked}")

    rows = rows_of_task(spark, select, {"asked": frame}, as_of=MOMENT, label_window=DAY)

    with pytest.raises(RefusedError, match="2 labels are neither 0 nor 1"):
        count_rows(rows, "mine.sql")


HEADER = "-- column n: a number | число\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (HEADER + "SELECT key, moment, 1 AS n, 2 AS m FROM {rows}", "only in the header: none, only in the SELECT: m"),
        (HEADER + "SELECT key, moment FROM {rows}", "only in the header: n, only in the SELECT: none"),
        (HEADER + "SELECT key, 1 AS n FROM {rows}", "return key and moment"),
        (HEADER + "SELECT key, moment, map(1, 2) AS n FROM {rows}", "column n has type map<int,int>"),
        (HEADER + "SELECT key, moment, label AS n FROM {rows}", "`label`"),
        (HEADER + "SELECT key, moment, label_state AS n FROM {rows}", "`label_state`"),
        (HEADER + "SELECT r.key, r.moment, 1 AS n FROM {rows} r, {calls} c", "no input frame 'calls'"),
        (HEADER + "SELECT key, moment, 1 AS n, 2 AS n FROM {rows}", "returns columns more than once: n"),
        (
            "-- column unit: who | кто\nSELECT key, moment, unit FROM {rows}",
            "columns that another file already returns: unit",
        ),
        (
            "-- column fold: n | н\nSELECT key, moment, 1 AS fold FROM {rows}",
            "columns that another file already returns: fold",
        ),
    ],
)
def test_a_select_gives_what_its_header_says_and_never_sees_the_label(
    spark: SparkSession, tmp_path: Path, text: str, fault: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        with_features(spark, row_of(spark), [(select_of(tmp_path, text), [])], {}, MOMENT)

    assert fault in caught.value.line()
    assert "mine" in caught.value.where


def test_braces_of_patterns_and_texts_are_no_frames(spark: SparkSession, tmp_path: Path) -> None:
    tests = [
        r"'ab77' RLIKE '^[a-z]{2}[0-9]{1,3}$'",
        r"'Я' RLIKE '\\p{L}'",
        """from_json('{"a":{"b":7}}', 'a STRUCT<b:INT>').a.b = 7""",
        "{{ value | literal }} = concat(chr(123), 'rows', chr(125), chr(92), 'n')",
    ]
    (tmp_path / "mine.sql").write_text(
        f"{HEADER}SELECT key, moment, {' + '.join(f'int({test})' for test in tests)} AS n FROM {{rows}}",
        encoding="utf-8",
    )
    select = read_select("mine", {"value": "{rows}\\n"}, [tmp_path])

    assert with_features(spark, row_of(spark), [(select, [])], {}, MOMENT).collect()[0].n == len(tests)


READS = "-- reads [after] duration, said: of earlier calls only\n"


@pytest.mark.parametrize(
    ("header", "column", "seen"),
    [
        ("-- column length: of the call | звонка\n", "c.Duration AS length", None),
        ("-- column length: of the call | звонка\n" + READS, "c.duration AS length", 60),
        ("-- column duration [after]: of the call | звонка\n", "duration", 60),
    ],
    ids=["alias", "declared", "given out as [after]"],
)
def test_what_is_known_only_after_the_decision_is_not_there_under_another_name(
    spark: SparkSession, tmp_path: Path, header: str, column: str, seen: int | None
) -> None:
    calls = spark.createDataFrame([("c0", 60, "yes")], "id STRING, duration INT, said STRING")
    select = select_of(
        tmp_path, f"{header}SELECT r.key, r.moment, {column} FROM {{rows}} r JOIN {{calls}} c ON id = key"
    )
    marked = {"calls": ["duration", "said"]}
    refused = pytest.raises(ConfigurationError) if seen is None else nullcontext()

    with refused as caught:
        row = with_features(spark, row_of(spark), [(select, [])], {"calls": calls}, MOMENT, marked).collect()[0]
        assert row[-1] == seen

    if caught is not None:
        assert caught.value.line() == (
            "mine.sql: reads duration of calls, which is known only after the decision → leave it out, or say in the "
            "header why it is not a leak: `-- reads [after] duration: why`"
        )


@pytest.mark.parametrize(
    "line", ["-- reads [after] duration", "-- reads [after]: why", "-- reads [later] duration: why"]
)
def test_a_reads_line_without_name_or_reason_is_quoted(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigurationError, match=r"mine\.sql: invalid reads line: ") as caught:
        select_of(tmp_path, f"{line}\n{HEADER}SELECT key, moment, 1 AS n FROM {{rows}}")

    assert line in caught.value.line()


@pytest.mark.parametrize("line", ["-- column n a number", "-- column N: a number | число", "-- column n: a number"])
def test_a_column_line_without_name_or_both_meanings_is_quoted(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        select_of(tmp_path, f"{line}\nSELECT key, moment, 1 AS n FROM {{rows}}")

    assert caught.value.line() == (
        f"mine.sql: invalid column line: {line} → write `-- column name: English meaning | русский смысл`"
    )


def test_numbers_are_wide_and_finite_and_columns_may_be_left_out(spark: SparkSession, tmp_path: Path) -> None:
    header = "".join(f"-- column {name}: a | а\n" for name in ("n", "d", "f", "i", "out"))
    endless = "CAST('NaN' AS FLOAT) AS f, CAST('-Infinity' AS DOUBLE) AS i"
    text = f"SELECT key, moment, 1Y AS n, 1.5BD AS d, {endless}, 1 AS out FROM {{rows}}"

    found = with_features(spark, row_of(spark), [(select_of(tmp_path, header + text), ["out"])], {}, MOMENT)

    assert found.dtypes[-4:] == [("n", "bigint"), ("d", "double"), ("f", "double"), ("i", "double")]
    assert found.select("n", "d", "f", "i").collect() == [(1, 1.5, None, None)]


def test_a_row_that_a_select_does_not_mention_keeps_its_place(spark: SparkSession, tmp_path: Path) -> None:
    select = select_of(tmp_path, HEADER + "SELECT key, moment, 1 AS n FROM {rows} WHERE key = 'a'")

    found = with_features(spark, row_of(spark, "a", "b"), [(select, [])], {}, MOMENT).orderBy("key").collect()

    assert [(row.key, row.n) for row in found] == [("a", 1), ("b", None)]


def test_the_content_does_not_depend_on_the_layout(spark: SparkSession) -> None:
    earlier = [(MOMENT - DAY * i, MOMENT - DAY * i + DAY / 2, MOMENT - DAY * i) for i in range(1, 9)]
    frame = contacts(spark, *earlier)
    select = read_select("contact_plan", {}, [])
    rows = row_of(spark, "c0", "e0", "e3")

    hashes = {
        content_hash(
            with_features(
                spark, rows.repartition(parts), [(select, [])], {"contacts": frame.repartition(parts)}, MOMENT + DAY
            )
        )
        for parts in (1, 2, 4)
    }

    assert len(hashes) == 1


@pytest.mark.parametrize("columns", ["'a' AS key", "'a' AS key, asked.known_at AS moment, 1 AS age"])
def test_a_select_of_rows_gives_the_columns_of_rows(spark: SparkSession, tmp_path: Path, columns: str) -> None:
    select = select_of(tmp_path, f"SELECT {columns} FROM {{asked}} AS asked")

    with pytest.raises(ConfigurationError, match="must return key and moment"):
        rows_of_task(spark, select, {"asked": contacts(spark)}, as_of=MOMENT, label_window=DAY)


def test_the_latest_moment_is_not_that_of_a_wrong_clock(spark: SparkSession) -> None:
    """Neither a row known after its file came, nor a few behind a long gap, move it; the remark names them."""
    arrived = MOMENT + 400 * DAY
    usual = [(MOMENT - n * DAY, arrived) for n in range(120)]
    cases = {
        "nothing odd": (usual, MOMENT),
        "after its file's arrival": ([*usual, (arrived + DAY, arrived)], MOMENT),
        "behind a long gap": ([*usual, (MOMENT + 399 * DAY, arrived)], MOMENT),
        "many behind a gap": ([*usual, *[(MOMENT + 399 * DAY, arrived)] * 5], MOMENT + 399 * DAY),
        "a short gap": ([*usual, (MOMENT + 60 * DAY, arrived)], MOMENT + 60 * DAY),
    }
    for what, (rows, moment) in cases.items():
        found = latest_of(spark.createDataFrame(rows, "moment TIMESTAMP, arrived_at TIMESTAMP"))

        assert found is not None
        assert (found.moment, bool(found.remark)) == (moment, len(rows) == 121 and moment == MOMENT), what
        assert found.beyond == bool(found.remark)
    columns = "_known_at TIMESTAMP, _arrived_at TIMESTAMP, _file STRING, _record_no BIGINT"
    with_place = [(*each, "a.csv", n) for n, each in enumerate(cases["after its file's arrival"][0], start=1)]
    placed = latest_known({"silver.calls": spark.createDataFrame(with_place, columns)})
    assert placed is not None
    set_by = f"{MOMENT:%Y-%m-%d %H:%M} UTC, set by record 1 of a.csv (silver.calls)"
    assert str(placed) == set_by
    assert f"the moment is {set_by}: 1 rows lie later" in placed.remark


def test_a_date_is_taken_as_the_days_from_it_to_the_moment(spark: SparkSession, tmp_path: Path) -> None:
    times = ("CAST(r.moment - INTERVAL 36 HOURS AS TIMESTAMP)", "DATE'0001-01-01'", "CAST(NULL AS DATE)")
    columns = "".join(f"-- column t{n}: t | t\n" for n in range(len(times)))
    wanted = ", ".join(f"{time} AS t{n}" for n, time in enumerate(times))
    select = select_of(tmp_path, f"{columns}SELECT r.key, r.moment, {wanted} FROM {{rows}} r")

    [row] = with_features(spark, row_of(spark, "c0"), [(select, [])], {}, MOMENT).collect()

    first = (MOMENT - datetime(1, 1, 1, tzinfo=UTC)) / DAY
    assert (row.t0, row.t1, row.t2) == (1.5, pytest.approx(first, abs=1e-6), None)


def test_the_greatest_number_of_a_type_is_a_missing_one(spark: SparkSession, tmp_path: Path) -> None:
    numbers = [1.7976931348623157e308, -3.4028234663852886e38, 2.5, float("nan")]
    paid = spark.createDataFrame([(f"c{n}", number) for n, number in enumerate(numbers)], "id STRING, paid DOUBLE")
    rows = row_of(spark, "c0", "c1", "c2", "c3")
    text = "-- column paid: paid | платёж\nSELECT r.key, r.moment, paid FROM {rows} r JOIN {paid} ON id = r.key"
    select = select_of(tmp_path, text)

    found = with_features(spark, rows, [(select, [])], {"paid": paid}, MOMENT)

    assert [row.paid for row in found.orderBy("key").collect()] == [None, None, 2.5, None]


def test_a_row_without_a_key_is_named_by_its_file_and_its_place_in_it(spark: SparkSession) -> None:
    """The first record of July is not the first of June, and the same file names its rows alike in any lake."""
    rows = spark.createDataFrame([("b1", 1), ("b1", 2), ("b2", 1), ("b3", 1)], "_batch STRING, _record_no BIGINT")
    contents = {"b1": "a" * 64, "b2": "c0ffee" + "0" * 58}

    named = [row.row_id for row in with_row_id(rows, contents).orderBy("_batch", "_record_no").collect()]

    assert named == ["a" * 16 + "-1", "a" * 16 + "-2", "c0ffee0000000000-1", "b3-1"]
    own = rows.withColumnRenamed("_record_no", "row_id")
    assert with_row_id(own, contents).columns == own.columns
