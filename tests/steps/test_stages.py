"""A kind from another package goes all the way, without a file of the project being touched."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.bench import CALLS, TakeIn, dying, job_on, without_session

from otklik import kinds
from otklik.errors import WARNING_EXIT_CODE, ConfigurationError, RefusedError
from otklik.lake import identity
from otklik.lake.ledger import find_answer
from otklik.lake.store import Lake
from otklik.lake.tables import MEASURES, RUNS, VERDICTS
from otklik.progress import Progress
from otklik.steps import all_tables, offline, pages, stages
from otklik.steps.context import Job
from otklik.steps.export import export_table
from otklik.steps.maintain import maintain_lake
from otklik.steps.reingest import reingest_source
from otklik.steps.report import write_report
from otklik.steps.run import run_task
from otklik.steps.show import show_table

METHOD = """
from pyspark.sql import functions as F
from otklik.kind import Finding, Measure, StageResult, Verdict

def run(frames, task, context):
    lengths = frames["letters"].groupBy("person").agg(F.sum(F.length("text")).cast("double").alias("length"))
    total = context.keep(lengths).agg(F.sum("length")).collect()[0][0]
    measure = Measure("total_length", total, low=total - 1, high=total + 1, baseline=0.0, rows=2)
    reason = Finding("compared", parameters={"least": task.least})
    verdict = Verdict("gain" if total > task.least else "no_gain", [reason], measure)
    findings = [Finding("short", "ada", {"n": 1}, is_warning=True)] if total < task.least else []
    return StageResult({"lengths": lengths}, [measure], verdict, findings)
"""
SECTION = """
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import texts

TEXTS = texts(
    reason__compared=("held against {least}", "сравнено с {least}"),
    finding__short=("{subject} wrote {n} short letter", "{subject}: коротких писем {n}"),
    measure__total_length=("letters in all", "букв всего"),
    title=("{n} people wrote", "написали: {n}"),
)

def section(read, task, voice):
    measure = read.measure("total_length")
    figure = KeyFigure(voice.words("measure.total_length"), voice.formats.integer(measure.value))
    people = read.table("lengths").count()
    answer = Answer(read.verdict.verdict, voice.words("title", n=people), [], [figure])
    return Page(task.title[voice.language], task.question[voice.language], answer, [])
"""
KIND = """
from typing import Literal
from pydantic import Field
from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import Column, Table
from otklik.settings import Text
from otklik.task import KindTask

class ToyTask(KindTask):
    kind: Literal["toy"]
    least: int = Field(3, description="fewer letters are nothing to speak of")

def text(words):
    return Text(en=words, ru=words)

LETTERS = Frame("letters", text("one letter"), (
    FrameColumn("person", "string", text("who wrote"), is_key=True, like=("id",)),
    FrameColumn("text", "string", text("what was written")),
    FrameColumn("moment", "timestamp", text("when"), is_optional=True),
))
LENGTHS = Table("gold.<task>_lengths", "letters per person", (
    Column("person", "STRING", "who"), Column("length", "DOUBLE", "letters"), Column("run_id", "STRING", "the run")),
    key=("person",))
KIND = Kind("toy", text("letters"), text("How much do people write?"), ToyTask,
    (Stage("toy", "toy_kind.method:run", (LETTERS,), (LENGTHS,)),), "toy_kind.section:section")
"""
#: The same in two stages: lengths, of which the second makes a total in the task's unit.
FITTING = """
from pyspark.sql import functions as F
from otklik.kind import StageResult, Verdict

def run(frames, task, context):
    lengths = frames["letters"].groupBy("person").agg(F.sum(F.length("text")).cast("double").alias("length"))
    if lengths.count() < task.fewest:
        return StageResult({"lengths": lengths.limit(0)}, verdict=Verdict("too_little_data"))
    return StageResult({"lengths": lengths})
"""
TOTALLING = """
from pyspark.sql import functions as F
from otklik.kind import StageResult, Verdict

def run(frames, task, context):
    total = frames["lengths"].agg((F.sum("length") * task.worth).alias("total"))
    return StageResult({"totals": total}, verdict=Verdict("descriptive"))
"""
TWO_STAGES = (
    KIND[: KIND.index("LENGTHS =")].replace(
        "    least: int",
        """    fewest: int = Field(1, description="people")
    worth: float = Field(1.0, description="of a letter")
    unit: Text = Field(Text(en="letters", ru="буквы"), description="name of the unit")
    least: int""",
    )
    + """
from otklik.lake.tables import answer_table
KIND = Kind("toy", text("letters"), text("How much do people write?"), ToyTask, (
    Stage("fit", "toy_kind.fitting:run", (LETTERS,),
          (answer_table("lengths", "letters", "person STRING who", "length DOUBLE letters"),), uses=("fewest",)),
    Stage("toy", "toy_kind.method:run", (LETTERS,), (answer_table("totals", "letters", "total DOUBLE worth"),),
          reads=("lengths",)),
), "toy_kind.section:section")
"""
)
PLAIN_SECTION = """
from otklik.page.rendering import Answer, Page
from otklik.page.words import texts

TEXTS = texts(title=("{n} totals in {unit}", "{n}, {unit}"))

def section(read, task, voice):
    said = voice.words("title", n=read.table("totals").count(), unit=task.unit[voice.language])
    return Page(task.title[voice.language], "", Answer(read.verdict.verdict, said, [], []), [])
"""
TASK = """
name = "diary"
kind = "toy"
title = { en = "Diary", ru = "Дневник" }
question = { en = "How much?", ru = "Сколько?" }
inputs = { calls = "silver.calls" }
frames.letters.columns = { person = "id" }
"""


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[Path]:
    """The package of the kind, as pip would have put it there."""
    site = tmp_path / "site"
    info = site / "toy_kind-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-kind\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[otklik.kinds]\ntoy = toy_kind.kind:KIND\n")
    package = site / "toy_kind"
    package.mkdir()
    for name, source in (("__init__", ""), ("kind", KIND), ("method", METHOD), ("section", SECTION)):
        (package / f"{name}.py").write_text(source)
    caches: list[Callable[[], None]] = [
        kinds.kind_places.cache_clear,
        all_tables.all_tables.cache_clear,
        identity.code_version_of.cache_clear,
    ]
    for clear in caches:
        clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        yield package
    for clear in caches:
        clear()
    for name in [name for name in sys.modules if name.startswith("toy_kind")]:
        del sys.modules[name]


@pytest.fixture
def ask(lake: Lake, toy: Path, tmp_path: Path, take_in: TakeIn) -> Callable[..., Job]:
    """A job about the task of the toy kind, over two calls."""
    take_in("a.csv", "1,hello", "2,ab")
    (tmp_path / "diary.toml").write_text(TASK, encoding="utf-8")

    def make(overrides: dict[str, object] | None = None, **names: object) -> Job:
        return job_on(lake, tmp_path, overrides, **{"task": str(tmp_path / "diary.toml"), **names})

    return make


def test_a_kind_of_another_package_goes_all_the_way(
    ask: Callable[..., Job], lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = ask()
    assert "fine; reads silver.calls; writes gold.diary_lengths" in offline.check(
        [str(tmp_path / "diary.toml")], job.project, {}
    )
    assert run_task(job) == 0
    assert {(row.person, row.length) for row in lake.read("gold.diary_lengths").collect()} == {("1", 5.0), ("2", 2.0)}
    [measure] = lake.read(MEASURES.name).collect()
    assert (measure.measure, measure.value, measure.low, measure.rows) == ("total_length", 7.0, 6.0, 2)
    [verdict] = lake.read(VERDICTS.name).collect()
    assert (verdict.verdict, verdict.key.value, verdict.reasons[0].code) == ("gain", 7.0, "compared")
    page = (Path(lake.root) / "report" / "diary.html").read_text(encoding="utf-8")
    assert "2 people wrote" in page and "silver.calls" in page and "a.csv" in page
    index = (Path(lake.root) / "report" / "index.html").read_text(encoding="utf-8")
    assert '<a href="diary.html">Diary</a>' in index and "letters in all" in index and "held against 3" in index

    version = lake.version("gold.diary_lengths")
    assert run_task(replace(ask(), lake=without_session(lake))) == 0
    assert lake.version("gold.diary_lengths") == version
    assert [row.status for row in lake.read(RUNS.name).where("job = 'toy'").orderBy("started_at").collect()] == [
        "done",
        "reused",
    ]

    # Where the file of a task lies is known from its last page.
    russian = ask(task=None)
    assert write_report(replace(russian, options=replace(russian.options, language="ru"))) == 0
    assert "написали: 2" in (Path(lake.root) / "report" / "diary.ru.html").read_text(encoding="utf-8")
    show_table(ask(table="gold.diary_lengths", where=None, limit=1, format="json"))
    export_table(ask(table="gold.diary_lengths", where=None, to=str(tmp_path / "list.csv")))
    assert len((tmp_path / "list.csv").read_text().splitlines()) == 3
    assert maintain_lake(ask(check_only=True, keep_days=30, force=False, roll_back_all=False)) == 0
    assert "wrong" not in capsys.readouterr().out


def test_a_warning_is_said_and_has_an_exit_code_also_where_the_answer_is_reused(ask: Callable[..., Job]) -> None:
    for _ in range(2):
        assert run_task(ask({"least": 100})) == WARNING_EXIT_CODE


def test_a_killed_run_is_answered_by_the_next(
    ask: Callable[..., Job], lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dying(monkeypatch, stages, "write_claims"):
        run_task(ask())
    assert lake.find(VERDICTS.name) is None
    assert run_task(ask()) == 0
    assert lake.read("gold.diary_lengths").count() == 2


def test_another_code_is_another_answer_and_another_title_is_not(
    ask: Callable[..., Job], toy: Path, lake: Lake
) -> None:
    def run_ids() -> list[str]:
        run_task(ask({"title": {"en": "Other", "ru": "Иначе"}}) if not runs else ask())
        return [row.run_id for row in lake.read(RUNS.name).where("job = 'toy'").orderBy("started_at").collect()]

    runs: list[str] = []
    runs = run_ids()
    assert len(set(run_ids())) == 1
    (toy / "method.py").write_text(f"{METHOD}\n# another code\n")
    identity.code_version_of.cache_clear()
    assert len(set(run_ids())) == 2


@pytest.fixture
def ask_twice(ask: Callable[..., Job], toy: Path) -> Callable[..., Job]:
    """`ask`, of a kind with two stages."""
    sources = {"kind": TWO_STAGES, "fitting": FITTING, "method": TOTALLING, "section": PLAIN_SECTION}
    for name, source in sources.items():
        (toy / f"{name}.py").write_text(source)
    return ask


def stages_of_last(lake: Lake, count: int) -> list[tuple[str, str]]:
    """Step and status of the last runs."""
    rows = lake.read(RUNS.name).where("job <> 'moment'").orderBy("started_at").collect()
    return [(row.job, row.status) for row in rows[-count:]]


def test_a_stage_is_answered_anew_for_the_keys_that_it_uses_only(ask_twice: Callable[..., Job], lake: Lake) -> None:
    assert run_task(ask_twice()) == 0
    page = Path(lake.root) / "report" / "diary.html"
    assert "1 totals in letters" in page.read_text(encoding="utf-8")

    run_task(ask_twice({"worth": 2.0}))
    assert stages_of_last(lake, 3) == [("fit", "reused"), ("toy", "done"), ("report", "done")]
    assert [row.total for row in lake.read("gold.diary_totals").collect()] == [14.0]

    run_task(ask_twice({"worth": 2.0, "unit": {"en": "signs", "ru": "знаки"}}))
    assert stages_of_last(lake, 3) == [("fit", "reused"), ("toy", "reused"), ("report", "done")]
    assert "1 totals in signs" in page.read_text(encoding="utf-8")

    run_task(ask_twice({"fewest": 2}))
    assert stages_of_last(lake, 3)[:2] == [("fit", "done"), ("toy", "done")]


def test_a_stage_does_not_see_keys_that_it_does_not_declare(ask_twice: Callable[..., Job], toy: Path) -> None:
    (toy / "fitting.py").write_text(FITTING.replace("task.fewest", "task.worth"))
    with pytest.raises(AttributeError, match="worth"):
        run_task(ask_twice())


def test_after_a_verdict_the_tables_of_later_stages_stay_empty(ask_twice: Callable[..., Job], lake: Lake) -> None:
    for _ in range(2):
        assert run_task(ask_twice({"fewest": 3})) == 0
        assert lake.read("gold.diary_totals").count() == 0
        assert [row.verdict for row in lake.read(VERDICTS.name).collect()] == ["too_little_data"]
    assert "0 totals" in (Path(lake.root) / "report" / "diary.html").read_text(encoding="utf-8")


def test_what_is_left_out_of_a_frame_is_said_once(ask_twice: Callable[..., Job], lake: Lake) -> None:
    run_task(ask_twice({"frames.letters.columns": {"person": "IF(id = 1, id, NULL)"}}))
    assert lake.read("gold.findings").where("kind = 'rows_left_out'").count() == 1


def test_a_page_is_written_anew_by_other_code(
    ask: Callable[..., Job], lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_task(ask())
    run_task(ask())
    assert stages_of_last(lake, 2) == [("toy", "reused"), ("report", "reused")]
    monkeypatch.setattr(pages, "code_version", lambda: "the next version")
    run_task(ask())
    assert stages_of_last(lake, 2) == [("toy", "reused"), ("report", "done")]


def test_a_task_reads_what_another_writes_and_runs_it_first(
    ask: Callable[..., Job], lake: Lake, tmp_path: Path
) -> None:
    second = TASK.replace('"diary"', '"digest"').replace("silver.calls", "gold.diary_lengths")
    second = second.replace('person = "id"', 'person = "person", text = "CAST(length AS STRING)"')
    (tmp_path / "digest.toml").write_text(second, encoding="utf-8")
    job = ask(task=str(tmp_path / "digest.toml"))
    assert run_task(job) == 0
    assert {row.length for row in lake.read("gold.digest_lengths").collect()} == {3.0}
    drawn = offline.graph(job.project, str(tmp_path / "digest.toml"), "dot", {})
    assert '"diary" -> "digest"' in drawn
    (tmp_path / "diary.toml").write_text(TASK.replace("silver.calls", "gold.digest_lengths"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"cycle: .*diary"):
        offline.check([str(tmp_path / "digest.toml")], job.project, {})
    (tmp_path / "diary.toml").unlink()
    with pytest.raises(ConfigurationError, match=r"reads gold\.diary_lengths, which no task writes"):
        offline.check([str(tmp_path / "digest.toml")], job.project, {})


def test_a_second_task_that_writes_the_same_table_is_refused(ask: Callable[..., Job], tmp_path: Path) -> None:
    (tmp_path / "twin.toml").write_text(TASK, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"gold\.diary_lengths is also written by"):
        run_task(ask())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames.letters.columns": {"person": "nobody"}}, "invalid SQL: no column nobody"),
        ({"frames.letters.columns": {"person": "id", "colour": "id"}}, "colour: unknown column"),
        ({"frames.notes": {}}, "notes: unknown frame"),
        ({"frames.letters.input": "calls2"}, "'calls2' is not one of"),
        ({"frames.letters.where": "id >"}, "frames.letters.where: invalid SQL"),
        (
            {"frames.letters.columns": {"person": "id", "moment": "id"}},
            r"frames\.letters\.columns\.moment: has type bigint; it must be a timestamp",
        ),
        ({"least": "many"}, "least: must be a whole number"),
        ({"kind": "tyo"}, r"unknown kind 'tyo'; did you mean toy\?"),
    ],
)
def test_what_a_task_says_wrongly_is_named(ask: Callable[..., Job], change: dict[str, object], message: str) -> None:
    if "kind" in change:
        with pytest.raises(ConfigurationError, match=message):
            kinds.find_kind("tyo", "x.toml")
        return
    with pytest.raises(ConfigurationError, match=message):
        run_task(ask(change))


def test_rows_that_cannot_be_used_are_counted_and_none_left_is_refused(ask: Callable[..., Job], lake: Lake) -> None:
    run_task(ask({"frames.letters.columns": {"person": "IF(id = 1, id, NULL)"}}))
    [finding] = lake.read("gold.findings").where("kind = 'rows_left_out'").collect()
    assert (finding.feature, finding.detail, finding.value) == ("letters.person", '{"n": 1, "rows": 2}', 0.5)
    with pytest.raises(RefusedError, match="none of its 2 rows can be used"):
        run_task(ask({"frames.letters.columns": {"person": "CAST(NULL AS STRING)"}}))


@pytest.mark.long
def test_what_was_asked_as_of_a_moment_keeps_its_answer_after_a_reingest(
    ask: Callable[..., Job], lake: Lake, tmp_path: Path, take_in: TakeIn
) -> None:
    then = datetime.now(UTC)

    def answer(job: Job, as_of: datetime | None = then) -> set[tuple[str, float]]:
        assert run_task(replace(job, options=replace(job.options, as_of=as_of))) == 0
        run = find_answer(lake, "diary", as_of, "toy")
        assert run is not None
        lengths = lake.read("gold.diary_lengths", run.outputs["gold.diary_lengths"])
        return {(row.person, row.length) for row in lengths.where(f"run_id = '{run.run_id}'").collect()}

    first = {("1", 5.0), ("2", 2.0)}
    assert answer(ask()) == first
    take_in("b.csv", "1,a longer one")
    (tmp_path / "calls.toml").write_text(
        CALLS.replace("thresholds =", 'rules = [{ name = "long", holds = "length(text) > 2" }]\nthresholds ='),
        encoding="utf-8",
    )
    assert reingest_source(job_on(lake, tmp_path, source=str(tmp_path / "calls.toml"))) == 0

    assert answer(ask()) == first
    # With another setting it is computed again.
    assert answer(ask({"least": 4})) == first
    assert lake.read(RUNS.name).where("job = 'toy' AND status = 'done'").count() == 2
    assert answer(ask(), as_of=None) == {("1", 12.0)}


def test_what_set_the_moment_is_said(ask: Callable[..., Job]) -> None:
    said = io.StringIO()

    assert run_task(replace(ask(), progress=Progress(said, lambda: 0.0, is_live=False))) == 0

    assert "UTC, set by record 1 of a.csv (silver.calls)" in said.getvalue()


def test_rows_after_the_moment_are_left_out(ask: Callable[..., Job], lake: Lake) -> None:
    columns = {"person": "id", "moment": "IF(id = 1, TIMESTAMP'2026-01-01', TIMESTAMP'2998-02-01')"}
    job = ask({"frames.letters.columns": columns})
    run_task(replace(job, options=replace(job.options, as_of=datetime(2997, 1, 1, tzinfo=UTC))))
    assert [row.person for row in lake.read("gold.diary_lengths").collect()] == ["1"]
    [finding] = lake.read("gold.findings").where("kind = 'rows_later'").collect()
    assert finding.value == 1.0


def test_a_division_by_zero_in_a_frame_is_said_plainly(ask: Callable[..., Job]) -> None:
    with pytest.raises(ConfigurationError, match=r"the SQL of \[frames\] of diary: raises an error on some row"):
        run_task(ask({"frames.letters.columns": {"person": "CAST(1 / (id - 1) AS STRING)"}}))


def test_a_task_is_drafted_that_check_accepts(ask: Callable[..., Job], tmp_path: Path) -> None:
    job = ask()
    drafted = tmp_path / "drafted.toml"
    drafted.write_text(offline.draft([str(tmp_path / "calls.toml")], "toy", job.project), encoding="utf-8")
    assert "kind toy" in offline.check([str(drafted)], job.project, {})
    assert run_task(ask(task=str(drafted))) == 0
    assert "toy: How much do people write?" in offline.kinds(None)
    assert "fewer letters are nothing to speak of" in offline.kinds("toy")
