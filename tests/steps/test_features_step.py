"""What the features step refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.bench import CALLS, TakeIn, job_on
from tests.steps.test_resolve_classify import TASK

from otklik.errors import ConfigurationError, MissingResultError, RefusedError
from otklik.lake.content import content_hash
from otklik.lake.store import Lake
from otklik.steps.features import build_features
from otklik.steps.resolve_classify import resolve_classify


@pytest.mark.parametrize(
    ("mark", "fault"),
    [
        pytest.param("personal = true", "text of silver.calls is personal", marks=pytest.mark.long),
        ('known = "after_decision"', r"lacks \[after\]"),
    ],
)
def test_marked_columns_are_no_features(lake: Lake, take_in: TakeIn, tmp_path: Path, mark: str, fault: str) -> None:
    take_in(
        "june.csv",
        "1,a",
        "2,b",
        contract=CALLS.replace('text = { type = "string"', f'text = {{ type = "string", {mark}'),
    )
    task = tmp_path / "task.toml"
    task.write_text(TASK, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=fault):
        build_features(job_on(lake, tmp_path, task=str(task)))

    assert not lake.exists("gold.calls_features")
    assert [row.status for row in lake.read("ops.runs").where("job = 'features'").collect()] == ["failed"]


def test_a_personal_key_names_the_rows_by_its_pseudonym(lake: Lake, take_in: TakeIn, tmp_path: Path) -> None:
    columns = 'columns = { id = { type = "string", personal = true }, text = { type = "string" } }'
    contract = CALLS.replace('columns = { id = { type = "integer" }, text = { type = "string" } }', columns)
    assert columns in contract
    take_in("june.csv", "+7 701,a", "+7 702,b", contract=contract)
    task = tmp_path / "task.toml"
    task.write_text(TASK, encoding="utf-8")

    build_features(job_on(lake, tmp_path, task=str(task)))

    keys = {row.key for row in lake.read("gold.calls_features").collect()}
    assert keys == {row.id for row in lake.read("silver.calls").collect()}
    assert all(len(key) == 64 for key in keys)


def test_what_is_marked_after_the_features_were_built_is_asked_anew(
    lake: Lake, take_in: TakeIn, tmp_path: Path
) -> None:
    """As ingest says how: the marks are the table's, and no version of it changes by them."""
    take_in("june.csv", "1,a", "2,b")
    task = tmp_path / "task.toml"
    task.write_text(TASK, encoding="utf-8")
    job = job_on(lake, tmp_path, task=str(task))
    build_features(job)
    lake.spark.sql(f"ALTER TABLE {lake.reference('silver.calls')} SET TBLPROPERTIES ('otklik.after_decision' = 'text')")

    with pytest.raises(ConfigurationError, match=r"lacks \[after\]"):
        build_features(job)


def test_a_header_that_says_otherwise_asks_another_question(lake: Lake, take_in: TakeIn, tmp_path: Path) -> None:
    take_in("june.csv", "1,a", "2,b")
    task, select = tmp_path / "task.toml", tmp_path / "mine.sql"
    task.write_text(TASK.replace('sql = "record_columns"', 'sql = "mine"'), encoding="utf-8")
    text = "c.text || '' AS text FROM {rows} r JOIN {calls} c ON c.id = r.key"
    asked = []
    for mark in ("", " [after]"):
        select.write_text(f"-- column text{mark}: said | сказано\nSELECT r.key, r.moment, {text}", encoding="utf-8")
        asked.append(resolve_classify(job_on(lake, tmp_path, task=str(task))).run_ids["features"])

    assert len({*asked}) == 2


@pytest.mark.parametrize(
    ("mark", "fault"),
    [
        ("personal = true", r"invalid SELECT: .*\[UNRESOLVED_COLUMN.*`c`\.`text`"),
        pytest.param(
            'known = "after_decision"',
            "reads text of calls, which is known only after the decision",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_marked_column_is_not_there_under_another_name(
    lake: Lake, take_in: TakeIn, tmp_path: Path, mark: str, fault: str
) -> None:
    take_in(
        "june.csv",
        "1,a",
        contract=CALLS.replace('text = { type = "string"', f'text = {{ type = "string", {mark}'),
    )
    (tmp_path / "mine.sql").write_text(
        "-- column prefix: a | а\nSELECT r.key, r.moment, left(c.text, 1) AS prefix FROM {rows} AS r JOIN {calls} AS c "
        "ON CAST(c.id AS STRING) = r.key",
        encoding="utf-8",
    )
    task = tmp_path / "task.toml"
    text = TASK.replace('label = "text", yes = "a"', 'label = "id", yes = "1"')
    task.write_text(text.partition("[features.call]")[0] + '[features.call]\nsql = "mine"\n', encoding="utf-8")

    with pytest.raises(ConfigurationError, match=rf"mine\.sql: {fault}"):
        build_features(job_on(lake, tmp_path, task=str(task)))


@pytest.mark.long
def test_a_select_that_multiplies_rows_is_refused_and_leaves_the_table(
    lake: Lake, take_in: TakeIn, tmp_path: Path
) -> None:
    task = tmp_path / "task.toml"
    take_in("june.csv", "1,1", "2,2")
    task.write_text(TASK, encoding="utf-8")
    build_features(job_on(lake, tmp_path, task=str(task)))
    before = content_hash(lake.read("gold.calls_features"))
    take_in("july.csv", "3,1")
    # Joined by what does not name a row: text 1 stands twice.
    task.write_text(TASK.replace('key = "id", columns', 'key = "text", columns'), encoding="utf-8")

    with pytest.raises(RefusedError, match=r"record_columns\.sql: 3 rows became 4: a feature SELECT returns"):
        build_features(job_on(lake, tmp_path, task=str(task)))

    assert content_hash(lake.read("gold.calls_features")) == before


@pytest.mark.parametrize("known", ["arrival", pytest.param("untimed", marks=pytest.mark.long)])
def test_sql_that_fails_on_a_row_is_named_without_the_row(
    lake: Lake, take_in: TakeIn, tmp_path: Path, known: str
) -> None:
    take_in("june.csv", "1,a", "2,b", contract=CALLS.replace('"position"', f'"position", known = "{known}"'))
    task = tmp_path / "task.toml"
    task.write_text(TASK.replace('moment = "2020-01-01"', 'moment_column = "text"'), encoding="utf-8")

    with pytest.raises(
        ConfigurationError, match=r"(record_rows\.sql|the SQL of calls): raises an error on some row"
    ) as caught:
        build_features(job_on(lake, tmp_path, task=str(task)))

    assert "try_cast" in caught.value.line()


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ('[report]\nremarks = [{ en = "{rate: no_such > 1}", ru = "" }]\n', r"report\.remarks: 'no_such > 1' is not a"),
        ('[score]\nwhere = "no_such > 1"\n', r"score\.where: is not a valid condition on the task's features"),
    ],
)
def test_what_later_steps_ask_of_the_features_is_tried_before_any_model(
    lake: Lake, take_in: TakeIn, tmp_path: Path, more: str, fault: str
) -> None:
    take_in("june.csv", "1,a")
    task = tmp_path / "task.toml"
    task.write_text(TASK + more, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=fault):
        build_features(job_on(lake, tmp_path, task=str(task)))

    assert not lake.exists("gold.calls_features")


def test_a_question_that_cannot_be_asked_leaves_its_row_too(lake: Lake, take_in: TakeIn, tmp_path: Path) -> None:
    take_in("june.csv", "1,a")
    task = tmp_path / "who_posts.toml"
    task.write_text(TASK.replace("silver.calls", "silver.posts"), encoding="utf-8")

    with pytest.raises(MissingResultError, match=r"silver\.posts: nothing has been ingested"):
        build_features(job_on(lake, tmp_path, task=str(task)))

    row = lake.read("ops.runs").where("job = 'features'").collect()[0]
    assert (row.task, row.status) == ("who_posts", "failed")
    assert "nothing has been ingested" in row.message
