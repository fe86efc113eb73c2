"""What the page is made of: plain values and small pandas frames, read and reduced before they come here.

Nothing in this room reads a table. What is heavy in the lake (features, predictions, scores, actions: up to millions of
rows) enters as counts that `reductions` makes in Spark; their size depends on attributes, periods and models, not on
rows. What is small (scoreboard, explanations, findings, action values, the ledger of files) enters as it stands.
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
    """The rows of a frame, each with its columns as attributes of whatever type they hold."""
    return iter(frame.itertuples(index=False))


@dataclass(frozen=True)
class ReportFacts:
    """All that one report says, of one run of one task.

    Attributes:
        task: the task as read from its TOML.
        as_of: the moment the run looks from, UTC.
        run_id: the run.
        training_run_id: the run whose models it shows, as one of them gave the scores: its own, or an older one.
        code_version: version and content hash of the package.
        table_versions: table → Delta version that the run read or wrote.
        features: the documentation of the task's features, as in the headers of their .sql files.
        label_states: `reductions.rows_per_label_state`: label_state, rows.
        attribute_rates: `reductions.attribute_rates`: attribute, kind (level | band | missing | other), level, low,
            high (band: low ≤ x < high; open ends are NaN), whole (a band of whole numbers), position, rows, positives.
        rates_over_time: `reductions.rates_over_time`: period (start, UTC), rows, positives; by hour or by day.
        remark_counts: `reductions.remark_counts`: predicate, rows, positives; for the numbers inside remarks.
        scoreboard: the training's rows of gold.scoreboard.
        measures: the training's rows of gold.measures.
        score_counts: `reductions.score_counts` of gold.<task>_predictions: model, leaks, split, calibration, bin,
            is_chosen, rows, positives; a bin is a log-odds, see `reductions.BINS_PER_UNIT`. None where that training's
            predictions are not kept any more.
        explanations: the training's rows of gold.explanations.
        findings: this run's and the training's rows of gold.findings.
        scored_counts: `reductions.scored_counts` of gold.<task>_scores: bin, rows, labelled, positives.
        top_actions: `reductions.top_of_list`: rank, key, arm, probability, expected_profit, reasons.
        action_arms: `reductions.rows_per_arm`: arm, rows.
        action_value: this run's rows of gold.action_value.
        champion: the row of gold.model_runs of the model that gave the scores, or None where it is not there any more.
        challenger: the row of this run's own model where another one gave the scores, or None.
        effect: what a follow-up measured against the control group of this task's last campaign: campaign, value, low,
            high, predicted; None where there is none.
        reason_weights: `reductions.reason_weights` of gold.<task>_scores: feature, weight.
        list_moments: the first and the last decision moment of the list; None where it is empty or there is none.
        written_at: when the page is written, UTC.
        balances: the rows of ops.files of the task's sources, as they were for the versions that the run read.
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
        """Whether the rows have an order in time to speak of."""
        return self.task.rows.time_ordered and len(self.rates_over_time) > 1

    def meaning(self, feature: str, language: Language) -> str:
        """What a feature means, or its name where nobody wrote it down."""
        for doc in self.features:
            if doc.name == feature:
                return doc.meaning[language]
        return feature
