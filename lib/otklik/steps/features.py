"""Step: a task's features, one row per entity and decision moment."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, RefusedError
from otklik.features.builder import count_rows, rows_of_task, with_features
from otklik.lake.ledger import record_run
from otklik.lake.tables import FEATURE_KEYS, FEATURES, Column, Table
from otklik.report.reductions import refuse_odd_remarks
from otklik.session import cached
from otklik.steps.context import Job
from otklik.steps.drafts import DRAFT_ROWS
from otklik.steps.resolve_classify import ResolvedClassify, answered_before, only_to_score, resolve_recorded
from otklik.steps.runs import record_failure


def build_features(job: Job, resolved: ResolvedClassify | None = None) -> int:
    """Write gold.<task>_features; returns the exit code."""
    resolved = resolved or resolve_recorded(job, "features")
    run = resolved.start(job, "features", resolved.inputs.identities)
    with record_failure(job, run), job.progress.step(f"features {resolved.task.name}") as step:
        earlier = answered_before(job, run)
        if earlier is not None:
            step.rows(earlier.rows_out)
            step.say("reused")
            return 0
        _refuse_marked(resolved)
        inputs = _without_personal(resolved)
        rows = rows_of_task(
            job.lake.spark,
            resolved.rows_select,
            inputs,
            as_of=resolved.as_of,
            label_window=resolved.task.rows.label_window,
        )
        if resolved.is_draft:
            rows = _some(rows)
        # Cached by key only: SELECTs join by it, and Spark 4.1 can fail to plan a join that needs only the key of a
        # frame cached by key and moment (INTERNAL_ERROR_ATTRIBUTE_NOT_FOUND).
        with cached(rows.repartition("key")) as rows:
            counts = count_rows(rows, f"{resolved.rows_select.name}.sql")
            known_after = resolved.inputs.marked("after_decision")
            features = with_features(
                job.lake.spark, rows, resolved.feature_selects, inputs, resolved.as_of, known_after
            )
            table = features_table(resolved, features)
            label = f"features {resolved.run_ids['features']}"
            named = features.withColumnRenamed("moment", "as_of").withColumn(
                "_run_id", F.lit(resolved.run_ids["features"])
            )
            # Expressions of later steps on this table are checked now: an error should not cost a training.
            only_to_score(named, resolved.task)
            refuse_odd_remarks(named, [*resolved.task.report.remarks, *resolved.task.rows.caveats])
            commit = job.lake.replace(table, named, label)
        written = commit.count("numOutputRows")
        if written != counts.rows:
            # No run refers to this version, so no step reads it; `show` prints what was there before.
            job.lake.restore(table.name, commit.version - 1)
            raise RefusedError(
                f"{counts.rows:,} rows became {written:,}: a feature SELECT returns a key and moment more than once",
                where=", ".join(f"{select.name}.sql" for select, _ in resolved.feature_selects),
                hint="join on everything that identifies a row, or group by key and moment",
            )
        message = (
            f"{counts.labelled} labelled, {counts.positives} positive, {counts.immature} immature, "
            f"{counts.unlabelled} unlabelled"
        )
        record_run(job.lake, run.done(job.clock(), {table.name: commit.version}, counts.rows, written, message))
        step.rows(written)
        step.rows(counts.labelled, "labelled")
        step.rows(counts.positives, "positive")
        step.rows(counts.immature, "immature")
        step.rows(counts.unlabelled, "unlabelled")
    if counts.only_yes_after is not None:
        job.progress.warn(
            f"after {counts.only_yes_after:%Y-%m-%d %H:%M} every answer is yes, and all other rows are unlabelled: the "
            "file with the answers seems older than the as-of moment; set --as-of to the time it was extracted"
        )
    return 0


def _some(rows: DataFrame) -> DataFrame:
    """Sample the rows of a draft by a hash of their key: all rows of a customer, or none."""
    share = DRAFT_ROWS / max(rows.count(), 1)
    return rows if share >= 1 else rows.where(F.pmod(F.xxhash64("key", F.lit("draft")), F.lit(10**6)) < share * 10**6)


def _refuse_marked(resolved: ResolvedClassify) -> None:
    """Check that no feature is personal, and that columns known only after the decision are declared so.

    Raises:
        ConfigurationError: naming all columns that violate this.
    """
    known_after = {column.name: column.is_known_after for column in resolved.columns}
    faults = []
    for table, marked in resolved.inputs.marks.items():
        faults += [f"{name} of {table} is personal" for name in marked.get("personal", []) if name in known_after]
        faults += [
            f"{name} of {table} is known only after the decision, and its SQL header lacks [after]"
            for name in marked.get("after_decision", [])
            if known_after.get(name) is False
        ]
    if faults:
        raise ConfigurationError(
            f"columns that the contracts keep out of models: {'; '.join(faults)}",
            where=f"features of {resolved.task.name}",
            hint="leave the column out (leave_out), or mark it [after] in the SQL header",
        )


def _without_personal(resolved: ResolvedClassify) -> dict[str, DataFrame]:
    """The input frames as SQL sees them, without personal columns.

    The exception is a column that the task names as the key of its rows: it holds pseudonyms.
    """
    inputs, personal = resolved.inputs.known_at(resolved.as_of), resolved.inputs.marked("personal")
    task = resolved.task
    keys = {settings.get("key") for settings in (task.rows.settings, *(g.settings for g in task.features.values()))}
    return {name: rows.drop(*(c for c in personal[name] if c not in keys)) for name, rows in inputs.items()}


def features_table(resolved: ResolvedClassify, features: DataFrame) -> Table:
    """The definition of the task's feature table: the fixed keys, then its features with their meaning (`en | ru`)."""
    kinds = {name: kind.upper() for name, kind in features.dtypes}
    columns = tuple(Column(c.name, kinds[c.name], f"{c.meaning.en} | {c.meaning.ru}") for c in resolved.columns)
    return FEATURES.of(resolved.task.name, FEATURE_KEYS + columns)
