"""The data of the page: plain values and small pandas frames.

This package reads no tables. Large tables (features, predictions, scores, actions: up to millions of rows) enter as
counts that `reductions` computes in Spark; their size depends on attributes, periods and models, not on rows. Small
tables (scoreboard, explanations, findings, action values, the ledger of files) enter unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from otklik.features.catalogue import FeatureColumn
from otklik.page.formats import Language
from otklik.task import Task


def records(frame: pd.DataFrame) -> Iterator[Any]:
    """The rows of a frame, with columns as untyped attributes."""
    return iter(frame.itertuples(index=False))


@dataclass(frozen=True)
class ReportFacts:
    """All data of a report about one run of one task.

    Attributes:
        task: the task as read from its TOML.
        as_of: the as-of moment of the run, UTC.
        run_id: the run.
        training_run_id: the run whose models it shows, because one of them computed the scores.
        code_version: version and content hash of the package.
        table_versions: table → Delta version that the run read or wrote.
        features: the documentation of the task's features, from the headers of their .sql files.
        label_states: `reductions.rows_per_label_state`: label_state, rows.
        attribute_rates: `reductions.attribute_rates`: attribute, kind (level | band | missing | other), level, low,
            high (band: low ≤ x < high; open ends are NaN), whole (a band of whole numbers), position, rows, positives.
        rates_over_time: `reductions.rates_over_time`: period (start, UTC), rows, positives; by hour or by day.
        remark_counts: `reductions.remark_counts`: predicate, rows, positives; for the numbers inside remarks.
        scoreboard: the training's rows of gold.scoreboard.
        measures: the training's rows of gold.measures.
        score_counts: `reductions.score_counts` of gold.<task>_predictions: model, leaks, split, calibration, bin,
            is_chosen, rows, positives; a bin is a log-odds, see `reductions.BINS_PER_UNIT`. None if that training's
            predictions have been deleted.
        explanations: the training's rows of gold.explanations.
        findings: this run's and the training's rows of gold.findings.
        scored_counts: `reductions.scored_counts` of gold.<task>_scores: bin, rows, labelled, positives.
        top_actions: `reductions.top_of_list`: rank, key, arm, probability, expected_profit, reasons.
        action_arms: `reductions.rows_per_arm`: arm, rows.
        action_value: this run's rows of gold.action_value.
        champion: the row of gold.model_runs of the model that computed the scores; None if it has been deleted.
        challenger: the row of this run's own model if another one computed the scores, or None.
        effect: the effect of this task's last campaign in a follow-up: campaign, value, low,
            high, predicted; None if there is none.
        reason_weights: `reductions.reason_weights` of gold.<task>_scores: feature, weight.
        list_moments: the first and the last decision moment of the list; None if it is empty or there is none.
        written_at: when the page was written, UTC.
        balances: the rows of ops.files about the task's sources at the versions that the run read.
    """

    task: Task
    as_of: datetime
    run_id: str
    training_run_id: str
    code_version: str
    table_versions: Mapping[str, int]
    features: Sequence[FeatureColumn]
    label_states: pd.DataFrame
    attribute_rates: pd.DataFrame
    rates_over_time: pd.DataFrame
    remark_counts: pd.DataFrame
    scoreboard: pd.DataFrame
    measures: pd.DataFrame
    score_counts: pd.DataFrame | None
    explanations: pd.DataFrame
    findings: pd.DataFrame
    scored_counts: pd.DataFrame
    top_actions: pd.DataFrame
    action_arms: pd.DataFrame
    action_value: pd.DataFrame
    champion: Mapping[str, Any] | None
    challenger: Mapping[str, Any] | None
    effect: Mapping[str, Any] | None
    balances: pd.DataFrame
    reason_weights: pd.DataFrame | None = None
    list_moments: tuple[pd.Timestamp, pd.Timestamp] | None = None
    written_at: datetime | None = None

    @property
    def has_time(self) -> bool:
        """Whether the rows are ordered in time."""
        return self.task.rows.time_ordered and len(self.rates_over_time) > 1

    def meaning(self, feature: str, language: Language) -> str:
        """The meaning of a feature, or its name if it is not documented."""
        for doc in self.features:
            if doc.name == feature:
                return doc.meaning[language]
        return feature
