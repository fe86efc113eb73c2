"""Measures, verdicts and findings of a stage to and from rows of gold.measures, gold.verdicts and gold.findings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import MissingResultError
from otklik.evidence.follow_up.kind import split_of
from otklik.kind import Finding, Kind, Measure, StageResult, Verdict
from otklik.lake.ledger import Run
from otklik.lake.missing import no_such_table
from otklik.lake.recovery import rows_at
from otklik.lake.store import Lake
from otklik.lake.tables import FINDINGS, LISTS, MEASURES, VERDICTS
from otklik.steps.frames import as_frame, replace_rows
from otklik.task import BaseTask

_MEASURE = ("measure", "subject", "split", "value", "low", "high", "baseline", "rows")


def write_claims(
    lake: Lake,
    kind: Kind,
    task: BaseTask,
    run: Run,
    result: StageResult,
    findings: Sequence[Finding],
    made_at: datetime,
) -> dict[str, int]:
    """Write measures, findings and the verdict of a run; returns table → version."""
    named = {"task": task.name, "run_id": run.run_id}
    label = f"{run.job} {run.run_id}"
    outputs = write_measures(lake, task, run, result.measures)
    noticed = [
        {
            **named,
            "kind": finding.code,
            "feature": finding.subject,
            "detail": json.dumps(dict(finding.parameters), ensure_ascii=False, sort_keys=True),
            "value": finding.value,
            "action": "warned" if finding.is_warning else "kept",
        }
        for finding in findings
    ]
    outputs |= replace_rows(lake, FINDINGS, as_frame(noticed), label, named)
    if result.verdict is not None:
        outputs |= write_verdict(lake, kind.name, task, run, result.verdict, made_at)
    return outputs


def write_list(lake: Lake, run: Run, campaign: str, listed: DataFrame) -> dict[str, int]:
    """Store a campaign's list, replacing an earlier one of the same campaign; returns table → version.

    Args:
        lake: the lake.
        run: the run that made it.
        campaign: its name.
        listed: as `StageResult.listed`.
    """
    named = {"task": run.task, "campaign": campaign}
    made = {**named, "moment": run.as_of, "run_id": run.run_id}
    rows = listed.withColumns({name: F.lit(value) for name, value in made.items()})
    given = [
        F.col(name) if name in rows.columns else F.lit(None).cast(kind).alias(name)
        for name, kind in ((column.name, column.type) for column in LISTS.columns)
    ]
    return {LISTS.name: lake.replace(LISTS, rows.select(*given), f"{run.job} {run.run_id}", where=named).version}


def write_measures(lake: Lake, task: BaseTask, run: Run, measures: Sequence[Measure]) -> dict[str, int]:
    """Write the measures of a run; returns table → version."""
    named = {"task": task.name, "run_id": run.run_id}
    return replace_rows(lake, MEASURES, rows_of_measures(task, run, measures), f"{run.job} {run.run_id}", named)


def rows_of_measures(task: BaseTask, run: Run, measures: Sequence[Measure]) -> pd.DataFrame:
    """The measures of a run as rows of gold.measures."""
    return as_frame([{"task": task.name, "run_id": run.run_id, **asdict(measure)} for measure in measures])


def effect_of_lists(lake: Lake, task: str) -> dict[str, Any] | None:
    """The effect of the last campaign of a task's lists in the latest follow-up; None if there is none.

    Returns:
        campaign, value, low, high, and predicted, what the list predicted.
    """
    verdicts = lake.small(VERDICTS.name, {"kind": ["follow_up"]})
    runs = {} if verdicts is None else {row["run_id"]: row for row in verdicts.rows if row["reasons"]}
    measures = lake.small(MEASURES.name, {"run_id": [*runs], "measure": ["effect"], "split": [split_of(task)]})
    found = [
        (runs[row["run_id"]]["_made_at"], row)
        for row in ([] if measures is None else measures.rows)
        if runs[row["run_id"]]["reasons"][0]["subject"] == row["subject"]
    ]
    if not found:
        return None
    _, last = max(found, key=lambda each: each[0])
    names = {"campaign": "subject", "value": "value", "low": "low", "high": "high", "predicted": "baseline"}
    return {name: last[column] for name, column in names.items()}


def write_verdict(
    lake: Lake, kind: str, task: BaseTask, run: Run, verdict: Verdict, made_at: datetime
) -> dict[str, int]:
    """Write the verdict of a run, unless it is already there; returns table → version."""
    if _has_verdict(lake, task.name, run.run_id, verdict):
        return {}
    reasons = [
        (
            reason.code,
            reason.subject,
            {name: json.dumps(value, ensure_ascii=False) for name, value in reason.parameters.items()},
            reason.value,
        )
        for reason in verdict.reasons
    ]
    row = {
        "task": task.name,
        "run_id": run.run_id,
        "kind": kind,
        "as_of": run.as_of,
        "verdict": verdict.verdict,
        "reasons": [dict(zip(("code", "subject", "parameters", "value"), reason, strict=True)) for reason in reasons],
        "key": None if verdict.key is None else {name: getattr(verdict.key, name) for name in _MEASURE},
        "title": task.title.model_dump(),
        "question": task.question.model_dump(),
        "_made_at": made_at,
    }
    rows = [[row[column.name] for column in VERDICTS.columns]]
    where = {"task": task.name, "run_id": run.run_id}
    return {VERDICTS.name: lake.replace_rows(VERDICTS, rows, f"verdict {run.job} {run.run_id}", where=where)}


def _has_verdict(lake: Lake, task: str, run_id: str, verdict: Verdict) -> bool:
    """Whether gold.verdicts already has this verdict of the run."""
    if not lake.exists(VERDICTS.name):
        return False
    try:
        there = _verdict(lake, task, [run_id])
    except MissingResultError:
        return False

    def decisive(one: Verdict) -> object:
        return one.verdict, [reason.code for reason in one.reasons], one.key

    return decisive(there) == decisive(verdict)


def read_findings(lake: Lake, task: str, runs: Sequence[str]) -> list[Finding]:
    """Findings in these runs, in the order of codes and subjects."""
    rows = sorted(
        _of_runs(lake, FINDINGS.name, task, runs), key=lambda row: (row["kind"], row["feature"] or "", row["detail"])
    )
    return [
        Finding(
            row["kind"],
            row["feature"] or "",
            # Earlier versions wrote sentences.
            json.loads(row["detail"]) if row["detail"].startswith("{") else {"detail": row["detail"]},
            row["value"],
            row["action"] == "warned",
        )
        for row in rows
    ]


def latest_verdicts(lake: Lake) -> list[dict[str, Any]]:
    """The newest row of gold.verdicts of each task, by its name."""
    found = lake.small(VERDICTS.name)
    rows = [] if found is None else sorted(found.rows, key=lambda row: row["_made_at"])
    newest = {str(row["task"]): dict(row) for row in rows}
    return [newest[task] for task in sorted(newest)]


class RunReader:
    """The data of the page of one answer; see `otklik.kind.Reader`.

    Args:
        lake: the lake.
        task: name of the task.
        runs: the run of each of its stages, in order.
    """

    def __init__(self, lake: Lake, task: str, runs: Sequence[Run]) -> None:
        self._lake, self._task = lake, task
        names = [run.run_id for run in runs]
        self.outputs: Mapping[str, int] = {table: v for run in runs for table, v in run.outputs.items()}
        self.as_of = runs[-1].as_of or datetime.max
        rows = pd.DataFrame(_of_runs(lake, MEASURES.name, task, names), columns=[c.name for c in MEASURES.columns])
        measures = rows.astype(dict.fromkeys(("value", "low", "high", "baseline", "rows"), float))
        self.measures = measures.sort_values(["measure", "subject", "split"]).reset_index(drop=True)
        self.findings = read_findings(lake, task, names)
        self.verdict = _verdict(lake, task, names)

    def table(self, what: str) -> DataFrame:
        """The rows of gold.<task>_<what>, at the version that the run wrote."""
        name = f"gold.{self._task}_{what}"
        kept = self._lake.cached_by_driver(name, self.outputs[name])
        return rows_at(self._lake, name, self.outputs[name]) if kept is None else kept

    def measure(self, name: str, subject: str = "", split: str = "all") -> Measure | None:
        """One measure, or None if the run has none of that name."""
        rows = self.measures
        found = rows[(rows["measure"] == name) & (rows["subject"] == subject) & (rows["split"] == split)]
        return None if found.empty else measure_of(found.iloc[0].to_dict())


def measure_of(row: Mapping[Any, Any]) -> Measure:
    """A row of gold.measures, or the key figure of a verdict; missing numbers are None."""
    values: dict[str, Any] = {name: None if pd.isna(row[name]) else row[name] for name in _MEASURE}
    return Measure(**{**values, "rows": None if values["rows"] is None else int(values["rows"])})


def reason_of(row: Mapping[str, Any]) -> Finding:
    """A reason of a verdict, whose parameters are stored as JSON."""
    parameters = {name: json.loads(text) for name, text in (row["parameters"] or {}).items()}
    return Finding(row["code"], row["subject"] or "", parameters, row["value"])


def _verdict(lake: Lake, task: str, runs: Sequence[str]) -> Verdict:
    found = _of_runs(lake, VERDICTS.name, task, runs)
    if not found:
        raise MissingResultError("has no verdict yet", where=task, hint=f"run `otklik run {task}` first")
    row = max(found, key=lambda one: one["_made_at"])
    reasons = [reason_of(reason) for reason in row["reasons"]]
    return Verdict(row["verdict"], reasons, None if row["key"] is None else measure_of(row["key"]))


def _of_runs(lake: Lake, table: str, task: str, runs: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    found = lake.small(table, {"task": [task], "run_id": runs})
    if found is None:
        raise no_such_table(table)
    return found.rows
