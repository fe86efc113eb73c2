"""What killed writers leave behind, and what becomes of it."""

from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from otklik.errors import DamagedError, MissingResultError
from otklik.lake.commits import NOTHING
from otklik.lake.maintenance import compact, vacuum
from otklik.lake.recovery import Base, bring_back, roll_back_incomplete, rows_at, with_same_rows
from otklik.lake.store import Lake
from otklik.lake.tables import Column, Table

POSTS = Table("silver.posts", "posts", (Column("id", "BIGINT"),), key=("id",))


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    return Lake(spark, str(tmp_path / "lake"), is_here=True)


def posts(lake: Lake, *numbers: int) -> DataFrame:
    return lake.spark.createDataFrame([(number,) for number in numbers], "id BIGINT")


def numbers(lake: Lake, version: int | None = None) -> list[int]:
    return sorted(row.id for row in lake.read(POSTS.name, version).collect())


def quiet(_: str) -> None:
    return


def test_a_batch_that_runs_again_goes_on_behind_its_own_commits(lake: Lake) -> None:
    known = lake.append(POSTS, posts(lake, 1), "ingest a").version
    lake.append(POSTS, posts(lake, 2), "ingest b", after=known)

    base = roll_back_incomplete(lake, {POSTS.name: known}, "ingest b", quiet)[POSTS.name]
    lake.append(POSTS, posts(lake, 2), "ingest b", after=base.version)

    assert numbers(lake) == [1, 2]


def test_another_batch_takes_back_what_the_ledger_does_not_know(lake: Lake) -> None:
    known = lake.append(POSTS, posts(lake, 1), "ingest a").version
    lake.append(POSTS, posts(lake, 2), "ingest b", after=known)
    said: list[str] = []

    base = roll_back_incomplete(lake, {POSTS.name: known}, "ingest c", said.append)[POSTS.name]
    lake.append(POSTS, posts(lake, 3), "ingest c", after=base.version)

    assert numbers(lake) == [1, 3]
    assert said == ["    silver.posts: rolled back 1 unfinished commits of an earlier run"]


@pytest.mark.parametrize("labels", [("ingest b", "ingest c"), ("by hand",), ("ingest b instead of a", "")])
def test_commits_that_no_killed_run_can_have_left_stay_unless_forced(lake: Lake, labels: tuple[str, ...]) -> None:
    """The ledger is not the newest, or somebody else changed rows: to take them back would be to lose them."""
    known = lake.append(POSTS, posts(lake, 1), "ingest a").version
    for number, label in enumerate(labels, start=2):
        lake.append(POSTS, posts(lake, number), label, after=known)

    with pytest.raises(DamagedError, match="no killed run can have left"):
        roll_back_incomplete(lake, {POSTS.name: known}, "ingest d", quiet)
    assert numbers(lake) == [1, *range(2, 2 + len(labels))]

    roll_back_incomplete(lake, {POSTS.name: known}, "ingest d", quiet, takes_all=True)
    assert numbers(lake) == [1]


def test_where_one_table_is_not_to_be_touched_none_is(lake: Lake) -> None:
    """A batch is in several tables: some rolled back and some not would be worse than none."""
    others = replace(POSTS, name="silver.others")
    known = {table.name: lake.append(table, posts(lake, 1), "ingest a").version for table in (POSTS, others)}
    lake.append(POSTS, posts(lake, 2), "ingest b", after=known[POSTS.name])
    for batch in ("ingest b", "ingest c"):
        lake.append(others, posts(lake, 2), batch, after=known[others.name])

    with pytest.raises(DamagedError, match=r"silver\.others: 2 commits"):
        roll_back_incomplete(lake, known, "ingest d", quiet)

    assert numbers(lake) == [1, 2]


def test_what_was_taken_back_can_be_written_again(lake: Lake) -> None:
    known = lake.append(POSTS, posts(lake, 1), "ingest a").version
    lake.append(POSTS, posts(lake, 2), "ingest b", after=known)
    roll_back_incomplete(lake, {POSTS.name: known}, "ingest c", quiet)

    base = roll_back_incomplete(lake, {POSTS.name: known}, "ingest b", quiet)[POSTS.name]
    lake.append(POSTS, posts(lake, 2), "ingest b", after=base.version)

    assert numbers(lake) == [1, 2]


def test_the_first_batch_of_a_table_is_taken_back_to_nothing(lake: Lake) -> None:
    lake.append(POSTS, posts(lake, 1), "ingest a")
    roll_back_incomplete(lake, {POSTS.name: None}, "ingest b", quiet)
    assert numbers(lake) == []


def test_delta_itself_refuses_the_second_of_two_equal_writes(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on an object store, where a killed writer's cluster may commit after its successor has looked."""
    known = lake.append(POSTS, posts(lake, 1), "ingest a").version
    merged = lake.merge(POSTS, posts(lake, 2), "ingest b", update_when=None, after=known).version
    appended = lake.append(POSTS, posts(lake, 3), "ingest c", after=merged).version

    with monkeypatch.context() as blind:
        blind.setattr(Lake, "_create_or_find", lambda *_, **__: None)
        lake.append(POSTS, posts(lake, 3), "ingest c", after=merged)
        lake.merge(POSTS, posts(lake, 7), "ingest b", update_when=None, after=known)

    assert lake.version(POSTS.name) == appended
    assert numbers(lake) == [1, 2, 3]


def test_a_table_older_than_the_ledger_is_damaged(lake: Lake) -> None:
    with pytest.raises(DamagedError, match="version 3"):
        roll_back_incomplete(lake, {POSTS.name: 3}, "ingest a", quiet)
    lake.append(POSTS, posts(lake, 1), "ingest a")
    with pytest.raises(DamagedError, match="version 3"):
        roll_back_incomplete(lake, {POSTS.name: 3}, "ingest a", quiet)
    assert roll_back_incomplete(lake, {"silver.others": None}, "ingest a", quiet)["silver.others"] == Base(NOTHING)


def test_compacting_is_no_change_and_a_reader_takes_the_compacted_files(lake: Lake, spark: SparkSession) -> None:
    for number in range(3):
        known = lake.append(POSTS, posts(lake, number), f"ingest {number}").version
    spark.sql(f"OPTIMIZE {lake.reference(POSTS.name)}")
    compacted = lake.version(POSTS.name)
    assert with_same_rows(lake, POSTS.name, known) == compacted
    assert roll_back_incomplete(lake, {POSTS.name: known}, "ingest 9", quiet)[POSTS.name] == Base(known)

    lake.append(POSTS, posts(lake, 9), "ingest 9", after=known)

    assert with_same_rows(lake, POSTS.name, known) == compacted
    assert numbers(lake, compacted) == [0, 1, 2]


@pytest.mark.long
def test_what_was_compacted_and_vacuumed_is_read_settled_and_brought_back(lake: Lake) -> None:
    for number in range(3):
        known = lake.append(POSTS, posts(lake, number), f"ingest {number}").version
    compact(lake, POSTS.name)
    vacuum(lake, POSTS.name, 0)
    lake.append(POSTS, posts(lake, 9), "ingest 9", after=known)

    assert sorted(row.id for row in rows_at(lake, POSTS.name, known).collect()) == [0, 1, 2]
    roll_back_incomplete(lake, {POSTS.name: known}, "ingest 8", quiet)
    assert numbers(lake) == [0, 1, 2]
    lake.replace(POSTS, posts(lake, 7), "another")
    assert bring_back(lake, POSTS.name, known) == lake.version(POSTS.name)
    assert numbers(lake) == [0, 1, 2]


def test_a_version_that_was_brought_back_counts_as_itself(lake: Lake) -> None:
    first = lake.append(POSTS, posts(lake, 1), "one").version
    second = lake.append(POSTS, posts(lake, 2), "two", after=first).version
    lake.restore(POSTS.name, first)
    back = lake.version(POSTS.name)
    assert with_same_rows(lake, POSTS.name, first) == back
    assert with_same_rows(lake, POSTS.name, second) == second
    assert numbers(lake, back) == [1]


def test_what_was_vacuumed_cannot_be_brought_back_and_says_so(lake: Lake) -> None:
    first = lake.replace(POSTS, posts(lake, 1), "one").version
    lake.replace(POSTS, posts(lake, 2), "two")
    vacuum(lake, POSTS.name, 0)
    with pytest.raises(MissingResultError, match=f"version {first} cannot be restored"):
        lake.restore(POSTS.name, first)
    assert numbers(lake) == [2]


@pytest.mark.long
def test_a_long_history_is_read_as_far_as_needed(lake: Lake) -> None:
    for number in range(14):
        lake.append(POSTS, posts(lake, number), f"ingest {number}")
    every = lake.commits(POSTS.name)
    assert every is not None
    assert [commit.version for commit in every] == list(range(15))
    assert [commit.label for commit in lake.commits(POSTS.name, 12) or []] == ["ingest 12", "ingest 13"]
    assert lake.append(POSTS, posts(lake, 0), "ingest 0").version == 1
