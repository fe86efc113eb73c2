"""What a kind of question is: its settings, the frames it reads, its stages, its tables and its page. Knows no Spark.

A kind lives in a folder of its own, `lib/otklik/<room>/<kind>/`, and is listed in `kinds.py`. It says here what it
reads and writes; the runner (`steps/stages.py`) does everything else: it resolves the task, pins versions, names the
run, reuses an answer that exists, hides what must not be seen, writes the tables, records the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from otklik.lake.tables import Table
from otklik.settings import Text
from otklik.task import BaseTask

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession

    from otklik.progress import Step

#: What an answer can come to. A kind that can only ever say `gain` is not finished.
VerdictCode = Literal["gain", "no_gain", "too_little_data", "invalid", "descriptive"]
ColumnType = Literal["string", "double", "bigint", "boolean", "timestamp", "date"]


@dataclass(frozen=True)
class FrameColumn:
    """A column of a frame.

    Attributes:
        name: what the method calls it. A TIMESTAMP called `moment` is when a row happened: the runner leaves out rows
            from after the moment that is asked about.
        type: Spark SQL type; values are cast to it by try_cast, and what cannot be cast is null.
        meaning: what it holds, with its unit.
        is_required: rows without a value are left out, and their number is a finding.
        is_optional: whether a task may do without it; the method then finds no such column.
        is_key: whether it names a person or thing. Only such a column may be a personal one (its pseudonym).
        like: parts of column names by which `otklik draft --task` finds it in a contract.
    """

    name: str
    type: ColumnType
    meaning: Text
    is_required: bool = True
    is_optional: bool = False
    is_key: bool = False
    like: tuple[str, ...] = ()


@dataclass(frozen=True)
class Frame:
    """Rows that a stage reads, by the name under which the task's [frames] describes them.

    Attributes:
        name: of the frame, in the plural of what a row is: purchases, customers.
        meaning: what one row is.
        columns: those with a name and a type of their own.
        others: what further columns a task may give: none, numbers (all cast to double), or any (numbers and texts;
            booleans become numbers).
        is_optional: whether a task may do without it; the method then gets no such frame.
        table: a gold table with columns of the same names that a first task reads it from.
    """

    name: str
    meaning: Text
    columns: tuple[FrameColumn, ...]
    others: Literal["none", "numbers", "any"] = "none"
    is_optional: bool = False
    table: str = ""


@dataclass(frozen=True)
class Stage:
    """A unit of work with recorded inputs and outputs; most kinds have one.

    Attributes:
        name: of the stage; the row of ops.runs says it as its job.
        run: "module:function", imported when it runs; see `Run`.
        frames: what it reads from the task's inputs.
        tables: what it writes: families `gold.<task>_what`, whose columns are all declared. Each has a column
            `run_id STRING`, which the runner fills.
        uses: top-level keys of the task that decide its answer, without inputs and frames, which always do; empty = all
            but title, question and report. A key that only a later stage uses then does not make this one run again.
        reads: tables of earlier stages of the same task, by their `what`; they are handed over as frames of that name.
    """

    name: str
    run: str
    frames: tuple[Frame, ...]
    tables: tuple[Table, ...] = ()
    uses: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """A way of answering.

    Attributes:
        name: as tasks say it in `kind`.
        title: what a person calls it.
        summary: what it answers, in one sentence.
        task: its settings.
        stages: in their order.
        section: "module:function", the page; see `SectionFunction`. The module also has `TEXTS`, the kind's own words,
            among them `finding.<code>` for every finding.
        example: body of a first task file below [frames], for `otklik draft --task`; commented TOML.
        runner: "module:function", (Job, Path of the task) → exit code; the common one unless a kind has its own.
        reporter: the same for writing the page of an answer that exists.
        commands: stages that a command of the same name runs, and `otklik run` does not.
    """

    name: str
    title: Text
    summary: Text
    task: type[BaseTask]
    stages: tuple[Stage, ...]
    section: str
    example: str = ""
    runner: str = "otklik.steps.stages:run_stages"
    reporter: str = "otklik.steps.stages:write_page_again"
    commands: tuple[Stage, ...] = ()

    @property
    def frames(self) -> dict[str, Frame]:
        """All frames of its stages and commands by their names."""
        return {frame.name: frame for stage in (*self.stages, *self.commands) for frame in stage.frames}


@dataclass(frozen=True)
class Measure:
    """A claim with its interval and with what a naive rule would have reached on the same rows; NaN or None = none.

    Attributes:
        measure: its name: silhouette, auc, mase …
        value: the number.
        subject: what it is about: a segment, a rule, an arm, a series; empty = the whole answer.
        split: on which rows: all, train, test, holdout …
        low: lower bound of the 95 % interval.
        high: upper end.
        baseline: what the naive rule reaches; the kind says which rule that is on its page.
        rows: how many rows it rests on.
    """

    measure: str
    value: float | None
    subject: str = ""
    split: str = "all"
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    rows: int | None = None


@dataclass(frozen=True)
class Finding:
    """Something noticed: a code with parameters, which the kind's `TEXTS` word in each language.

    Attributes:
        code: `finding.<code>` is its text; parameters fill the placeholders.
        subject: a column, a segment, a series; `{subject}` in the text.
        parameters: numbers and names; never a value of a person's.
        value: the number behind it.
        is_warning: whether it is also said on stderr while the command runs; the exit code is then 10.
    """

    code: str
    subject: str = ""
    parameters: Mapping[str, float | int | str] = field(default_factory=dict)
    value: float | None = None
    is_warning: bool = False


@dataclass(frozen=True)
class Verdict:
    """What the answer comes to.

    Attributes:
        verdict: see `VerdictCode`.
        reasons: codes, `reason.<code>` in the kind's `TEXTS`, with their parameters.
        key: the measure that stands on the card of the index page.
    """

    verdict: VerdictCode
    reasons: Sequence[Finding] = ()
    key: Measure | None = None


@dataclass(frozen=True)
class StageResult:
    """What a stage found.

    Attributes:
        tables: `what` → rows, for each table of the stage, without run_id.
        measures: all claims.
        verdict: of the task; the last stage says it.
        findings: the findings.
        campaign: name of the campaign that a list is for.
        listed: the list: unit, arm (contact | control), and what is promised of probability, effect, expected_profit.
    """

    tables: Mapping[str, DataFrame] = field(default_factory=dict)
    measures: Sequence[Measure] = ()
    verdict: Verdict | None = None
    findings: Sequence[Finding] = ()
    campaign: str = ""
    listed: DataFrame | None = None


@dataclass(frozen=True)
class StageContext:
    """What a stage has beside its frames and its task.

    Attributes:
        spark: the session.
        as_of: the moment it looks from, UTC.
        seed: of everything that is drawn.
        step: the step under way, which a method tells what it is at (`under_way`, `rows`, `say`).
        temporary_folder: a folder that is removed when the command ends.
        keep: persists a frame until the stage is written, and returns it.
    """

    spark: SparkSession
    as_of: datetime
    seed: int
    step: Step
    temporary_folder: Path
    keep: Callable[[DataFrame], DataFrame]


class Reader(Protocol):
    """What a page is made from: the tables of one run, at the versions it wrote."""

    #: The moment that the run looked from, UTC.
    as_of: datetime
    #: Rows of gold.measures of the run: subject, split, measure, value, low, high, baseline, rows.
    measures: pd.DataFrame
    findings: Sequence[Finding]
    verdict: Verdict

    def table(self, what: str) -> DataFrame:
        """The rows of gold.<task>_<what>; collect only what stays small whatever the number of customers."""
        ...

    def measure(self, name: str, subject: str = "", split: str = "all") -> Measure | None:
        """One measure, or None where the run has none of that name."""
        ...
