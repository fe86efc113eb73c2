"""A kind of question: its settings, the frames it reads, its stages, its tables and its page. Imports no Spark.

A kind has its own folder, `lib/otklik/<subpackage>/<kind>/`, and is listed in `kinds.py`. It declares what it reads and
writes; the runner (`steps/stages.py`) does everything else: it resolves the task, pins versions, names the run, reuses
existing results, hides what must not be seen, writes the tables, records the run.
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
#: Verdicts after which the later stages of a task have nothing to work on.
REFUSALS: tuple[VerdictCode, ...] = ("too_little_data", "invalid")
ColumnType = Literal["string", "double", "bigint", "boolean", "timestamp", "date"]


@dataclass(frozen=True)
class FrameColumn:
    """A column of a frame.

    Attributes:
        name: its name in the method. A TIMESTAMP named `moment` is the time of the row: the runner leaves out rows
            after the as-of moment.
        type: Spark SQL type; values are cast by try_cast, and values that cannot be cast are null.
        meaning: its meaning, with its unit.
        is_required: whether rows without a value are left out; their number is a finding.
        is_optional: whether a task may omit it; the method then has no such column.
        is_key: whether it identifies a person or thing. Only keys may be personal columns (as pseudonyms).
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
    """Rows that a stage reads, described in the task's [frames].

    Attributes:
        name: the plural of what a row is: purchases, customers.
        meaning: what one row is.
        columns: declared columns.
        others: additional columns that a task may have: none, numbers (all cast to double), or any (numbers, strings;
            booleans become numbers).
        is_optional: whether a task may omit it; the method then has no such frame.
        table: a gold table with columns of the same names, from which a drafted task reads it.
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
        name: its name, also in ops.runs.
        run: "module:function", imported when it runs; see `Run`.
        frames: frames that it reads from the task's inputs.
        tables: tables that it writes: families `gold.<task>_what`, with all columns declared. Each has a column
            `run_id STRING`, which the runner fills.
        uses: top-level keys of the task that affect its results, in addition to inputs, frames and seed; empty = all
            but title, question, remarks and report. Its method sees no other keys. Changing a key that only a later
            stage uses does not rerun this one; nor does changing a `Text`.
        reads: tables of earlier stages of the same task, by their `what`; they are passed as frames of that name.
    """

    name: str
    run: str
    frames: tuple[Frame, ...]
    tables: tuple[Table, ...] = ()
    uses: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """A way of answering a question.

    Attributes:
        name: the value of `kind` in tasks.
        title: its name for people.
        summary: the question that it answers.
        task: the class of its settings.
        stages: in their order.
        section: "module:function", the page; see `SectionFunction`. The module also has `TEXTS`, the texts of the kind,
            including `finding.<code>` for every finding.
        example: body of a drafted task below [frames], for `otklik draft --task`; commented TOML.
        runner: "module:function", (Job, Path of the task) → exit code; by default the common runner.
        reporter: likewise, writes the page of existing results.
        commands: stages that are run by a command of the same name, and not by `otklik run`.
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
    """A metric with its interval and the value of a naive rule on the same rows; NaN or None = none.

    Attributes:
        measure: its name: silhouette, auc, mase …
        value: the number.
        subject: what it is about: a segment, a rule, an arm, a series; empty = the whole result.
        split: on which rows: all, train, test, holdout …
        low: lower bound of the 95 % interval.
        high: upper bound.
        baseline: value of the naive rule, which the kind explains on its page.
        rows: number of rows that it is based on.
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
    """A finding: a code with parameters, with a text in the kind's `TEXTS` for each language.

    Attributes:
        code: `finding.<code>` is its text; parameters fill the placeholders.
        subject: a column, a segment, a series; `{subject}` in the text.
        parameters: numbers and names; never a personal value.
        value: its number.
        is_warning: whether it is also printed as a warning; the exit code is then 10.
    """

    code: str
    subject: str = ""
    parameters: Mapping[str, float | int | str] = field(default_factory=dict)
    value: float | None = None
    is_warning: bool = False


@dataclass(frozen=True)
class Verdict:
    """The conclusion of a task.

    Attributes:
        verdict: see `VerdictCode`.
        reasons: codes, `reason.<code>` in the kind's `TEXTS`, with their parameters.
        key: the measure on the card of the index page.
    """

    verdict: VerdictCode
    reasons: Sequence[Finding] = ()
    key: Measure | None = None


@dataclass(frozen=True)
class StageResult:
    """The result of a stage.

    Attributes:
        tables: `what` → rows, for each table of the stage, without run_id.
        measures: all measures.
        verdict: the verdict of the task, by one of its stages. After a refusal (`REFUSALS`) the tables of later stages
            stay empty.
        findings: the findings.
        campaign: name of the list's campaign.
        listed: the list: unit, arm (contact | control), and predicted probability, effect, expected_profit.
    """

    tables: Mapping[str, DataFrame] = field(default_factory=dict)
    measures: Sequence[Measure] = ()
    verdict: Verdict | None = None
    findings: Sequence[Finding] = ()
    campaign: str = ""
    listed: DataFrame | None = None


@dataclass(frozen=True)
class StageContext:
    """Context of a stage.

    Attributes:
        spark: the session.
        as_of: the as-of moment, UTC.
        seed: random seed.
        step: the current step, for progress messages (`under_way`, `rows`, `say`).
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
