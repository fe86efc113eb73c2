"""The task: one question to the data, as one TOML file in conf/tasks/. Read without Spark."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from otklik.errors import ConfigurationError
from otklik.settings import NAME_PATTERN, TABLE_PATTERN, SharedText, Strict, Text

#: Key of [models.sequence]: a column, not a setting to try.
EVENTS = "events"
#: What a task says of its kind.
KIND_MEANING = "method that answers it; `otklik kinds` lists them"
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=64)]
TableName = Annotated[str, Field(pattern=TABLE_PATTERN)]


def _for_templates(value: Any) -> Any:
    """Validate a template value with one error, where a union would report one per type.

    Raises:
        ValueError: if the type is not supported.
    """
    inner = value if isinstance(value, list) else [*value.values()] if isinstance(value, dict) else []
    kinds = {type(one) for one in inner}
    is_plain = isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
    is_of_texts = isinstance(value, list | dict) and kinds <= {str}
    if not (is_plain or is_of_texts or (isinstance(value, list) and kinds == {int})):
        raise ValueError(
            "must be a string, a number, a boolean, a list of strings or integers, or a table of strings; "
            "put dates in quotes"
        )
    return value


TemplateValue = Annotated[
    str | int | float | bool | list[str] | list[int] | dict[str, str], BeforeValidator(_for_templates)
]

ModelName = Literal[
    "logistic_regression",
    "decision_tree",
    "random_forest",
    "naive_bayes",
    "linear_svc",
    "xgboost",
    "perceptron",
    "sequence",
]
#: A fit is dozens of small jobs: a partition of fewer rows takes as long.
_ROWS_PER_PARTITION = 100_000
#: The models that explain each of their scores, so that one of them can become champion.
ChampionName = Literal["logistic_regression", "decision_tree", "random_forest", "xgboost", "sequence"]


class Rows(Strict):
    """What one row is: the SELECT that gives key, moment, label and, if they differ from the key, unit."""

    sql: Name = Field(description="the .sql file that returns the rows: next to the task, or one of the package")
    settings: dict[Name, TemplateValue] = Field(default_factory=dict, description="values for its template")
    unit_of_bootstrap: Literal["customer", "moment"] = Field(
        "customer", description="resampling unit on random splits; on time splits it is always the moment"
    )
    time_ordered: bool = Field(description="whether rows are ordered in time: models are then evaluated on later rows")
    label_window_hours: int = Field(
        0, ge=0, le=24 * 36_525, description="hours after the moment until the label is final"
    )
    moment_is: Text | None = Field(None, description="what a decision moment is, e.g. the contact day")
    caveats: list[Text] = Field(default_factory=list, description="caveats of the data, shown in the report")

    @property
    def label_window(self) -> timedelta:
        """How long after the moment the label becomes final."""
        return timedelta(hours=self.label_window_hours)

    def impossible(self) -> list[str]:
        """A setting of a name that its template has otherwise."""
        is_taken = "label_window_hours" in self.settings
        return ["settings.label_window_hours: set it in [rows] instead"] if is_taken else []

    @property
    def template_values(self) -> dict[str, TemplateValue]:
        """What its SELECT is filled with: its settings, and `label_window_hours`."""
        return {**self.settings, "label_window_hours": self.label_window_hours}


class FeatureGroup(Strict):
    """One .sql file and the values its template takes (windows, kinds …)."""

    sql: Name = Field(description="the .sql file that returns the columns: next to the task, or one of the package")
    settings: dict[Name, TemplateValue] = Field(default_factory=dict, description="values for its template")
    leave_out: list[Name] = Field(default_factory=list, description="columns of the group this task does not use")


class Decision(Strict):
    """Cost of a contact and value of a response; without them there is no threshold and no list."""

    cost: float = Field(gt=0, description="cost of one contact")
    value: float = Field(gt=0, description="value of one response, in the same currency")
    currency: SharedText = Field(
        Text(en="", ru=""), description="its name; a plain string if it is the same in both languages"
    )
    budget: float | None = Field(None, gt=0, description="maximum cost of all contacts together")
    control_share: float = Field(0.1, ge=0, lt=1, description="share of the list held out as a control group")
    campaign: Name = Field("campaign", description="name of the campaign; another name selects another control group")

    @property
    def threshold(self) -> float:
        """The probability above which a contact pays."""
        return self.cost / self.value


class Splits(Strict):
    """How rows are divided; salts are fixed so that the division never moves."""

    folds: int = Field(10, ge=4, le=20, description="number of folds of the random split")
    groups: int = Field(3, ge=2, le=10, description="groups of folds held out together, for tuning and calibration")
    time_test_share: float = Field(
        0.2, gt=0, lt=0.9, description="share of the rows, the latest ones, on which models are evaluated"
    )
    time_windows: int = Field(3, ge=1, le=10, description="number of expanding windows inside the training part")
    fold_salt: str = Field("fold", description="salt of the folds; another salt gives other folds")
    bootstrap_salt: str = Field("bootstrap", description="salt of the bootstrap")
    control_salt: str = Field("control", description="salt of the control group")
    permutation_salt: str = Field("permutation", description="salt of permutation importance")

    def impossible(self) -> list[str]:
        """Salts that are not different, and more groups than the folds allow."""
        salts = [self.fold_salt, self.bootstrap_salt, self.control_salt, self.permutation_salt]
        faults = {
            "fold, bootstrap, control and permutation need different salts": len(set(salts)) < len(salts),
            "each group needs at least two folds: groups must be at most half of folds": self.groups * 2 > self.folds,
        }
        return [fault for fault, holds in faults.items() if holds]


class PreparationSettings(Strict):
    """How features become numbers, fitted on a split's training part only (of the random split: all labelled rows)."""

    rare_level_share: float = Field(
        0.005, ge=0, lt=0.5, description="levels with a smaller share are merged into (other)"
    )
    maximum_levels: int = Field(
        50, ge=2, le=500, description="maximum levels of a string feature; the rarest are merged into (other)"
    )
    maximum_correlation: float = Field(
        0.98, gt=0, le=1, description="absolute correlation above which two numeric features count as correlated"
    )
    drop: list[Literal["constant", "duplicate", "correlated"]] = Field(
        ["constant", "duplicate"], description="kinds of features to drop before training"
    )
    log_scale: list[Name] = Field(
        default_factory=list, description="numeric features transformed to sign(x) * ln(1 + |x|)"
    )
    categorical: list[Name] = Field(default_factory=list, description="integer features that are category codes")
    filled: list[Name] = Field(
        default_factory=list,
        description="features without a missing-value indicator, because a missing value would leak the future: a "
        "later version of the record has overwritten what was known",
    )
    bands: dict[Name, list[float]] = Field(
        default_factory=dict, description="feature → cut points; adds its bands next to the number"
    )
    partitions: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="partitions of the training rows: trees depend on it, so it does not follow the machine; default "
        "one per 100,000 rows",
    )

    def partitions_of(self, rows: int) -> int:
        """Number of partitions for a number of rows; several fits run at once, so fewer are faster."""
        return self.partitions or math.ceil(rows / _ROWS_PER_PARTITION)

    def impossible(self) -> list[str]:
        """Bands whose cut points are not ascending."""
        return [
            f"bands.{name}: needs at least one cut point, in ascending order"
            for name, cuts in self.bands.items()
            if not cuts or any(low >= high for low, high in itertools.pairwise(cuts))
        ]


#: What MLlib takes as featureSubsetStrategy: a name, a number, or a share of the features.
_PER_SPLIT = r"^(auto|all|onethird|sqrt|log2|[1-9][0-9]*|0\.[0-9]*[1-9][0-9]*|1\.0+)$"


class ModelSettings(Strict):
    """Values to try; every combination is one setting, evaluated out of fold inside the training part."""

    reg_param: list[Annotated[float, Field(ge=0)]] = Field([0.001], min_length=1, description="strength of the penalty")
    elastic_net: list[Annotated[float, Field(ge=0, le=1)]] = Field(
        [0.0], min_length=1, description="0 = ridge, 1 = lasso"
    )
    max_iter: int = Field(50, ge=1, description="maximum number of iterations")
    # MLlib's limit.
    max_depth: list[Annotated[int, Field(ge=0, le=30)]] = Field([5], min_length=1, description="maximum depth of trees")
    min_leaf: list[Annotated[int, Field(ge=1)]] = Field([20], min_length=1, description="minimum rows per leaf")
    trees: list[Annotated[int, Field(ge=1)]] = Field([50], min_length=1, description="number of trees in a forest")
    max_bins: int = Field(64, ge=2, description="maximum number of bins per numeric feature in trees")
    features_per_split: list[Annotated[str, Field(pattern=_PER_SPLIT)]] = Field(
        ["sqrt"],
        min_length=1,
        description="features considered at each split of a forest: an MLlib strategy, a number or a share",
    )


class BoostSettings(Strict):
    """Values to try with gradient boosting; every combination is one setting."""

    trees: list[Annotated[int, Field(ge=1)]] = Field(
        [300],
        min_length=1,
        description="maximum number of trees; a tenth of the training part's units decides early stopping",
    )
    max_depth: list[Annotated[int, Field(ge=1, le=16)]] = Field(
        [5], min_length=1, description="maximum depth of each tree"
    )
    learning_rate: list[Annotated[float, Field(gt=0, le=1)]] = Field(
        [0.05], min_length=1, description="shrinkage applied to each tree"
    )


class PerceptronSettings(Strict):
    """Values to try with a network of one hidden layer; numbers are standardised for it."""

    hidden: list[Annotated[int, Field(ge=1, le=1024)]] = Field([32], min_length=1, description="hidden units")
    max_iter: int = Field(100, ge=1, description="maximum number of iterations")


class SequenceSettings(Strict):
    """Values to try with a recurrent network over the order of events, plus a linear part over the other features."""

    events: Name = Field(description="feature column of type ARRAY<STRING> with the row's events, the newest last")
    last: int = Field(50, ge=1, le=50, description="number of events that the network reads at most: the newest")
    hidden: list[Annotated[int, Field(ge=1, le=128)]] = Field(
        [32], min_length=1, description="size of the hidden state"
    )
    learning_rate: list[Annotated[float, Field(gt=0, le=1)]] = Field(
        [0.01], min_length=1, description="learning rate of AdamW"
    )
    epochs: int = Field(
        30,
        ge=1,
        le=1000,
        description="maximum number of epochs; the loss on the latest tenth of the training part stops it early",
    )


#: The settings of which each model is tried with every value.
TRIED_WITH: Mapping[str, tuple[str, ...]] = {
    "logistic_regression": ("reg_param", "elastic_net"),
    "decision_tree": ("max_depth", "min_leaf"),
    "random_forest": ("max_depth", "min_leaf", "trees", "features_per_split"),
    "naive_bayes": (),
    "linear_svc": ("reg_param",),
    "xgboost": ("trees", "max_depth", "learning_rate"),
    "perceptron": ("hidden",),
    "sequence": ("hidden", "learning_rate"),
}
#: What each model has one value of.
FIXED_WITH: Mapping[str, tuple[str, ...]] = {
    "logistic_regression": ("max_iter",),
    "decision_tree": ("max_bins",),
    "random_forest": ("max_bins",),
    "naive_bayes": (),
    "linear_svc": ("max_iter",),
    "xgboost": (),
    "perceptron": ("max_iter",),
    "sequence": (EVENTS, "epochs", "last"),
}


class Models(Strict):
    """The models of a task and the values to try with each.

    A model without a table has the values here; xgboost, perceptron and sequence are tried only where they have a
    table. A table, also an empty one, begins from those of `ModelSettings`, `BoostSettings`, `PerceptronSettings` or
    `SequenceSettings`.
    """

    logistic_regression: ModelSettings | None = ModelSettings()
    decision_tree: ModelSettings | None = ModelSettings()
    random_forest: ModelSettings | None = ModelSettings(max_depth=[8])
    naive_bayes: ModelSettings | None = Field(ModelSettings(), description="Gaussian naive Bayes: has no settings")
    linear_svc: ModelSettings | None = ModelSettings(reg_param=[0.1])
    xgboost: BoostSettings | None = Field(None, description="gradient boosting; needs the extra `boost`")
    perceptron: PerceptronSettings | None = Field(None, description="MLlib's multilayer perceptron")
    sequence: SequenceSettings | None = Field(
        None, description="recurrent network over the order of events; needs the extra `deep`"
    )
    seed: int = Field(7, description="random seed of forests")
    parallelism: int = Field(3, ge=1, le=64, description="number of fits that run at once")

    @classmethod
    def keys_within(cls, table: str) -> Collection[str] | None:
        """The settings that mean something to a model."""
        return [*TRIED_WITH[table], *FIXED_WITH[table]] if table in TRIED_WITH else None


class ChampionSettings(Strict):
    """Which model may serve, and when a new one replaces it."""

    candidates: list[ChampionName] = Field(
        ["logistic_regression", "decision_tree", "random_forest", "xgboost", "sequence"],
        min_length=1,
        description="models that may become champion, among those trained",
    )
    metric: Literal["auc", "auc_within", "log_loss"] = Field(
        "auc", description="metric by which the champion is chosen"
    )
    margin: float = Field(0.002, ge=0, description="a new champion must be better by at least this much")


class Checks(Strict):
    """When training refuses or warns."""

    minimum_rows: int = Field(200, ge=20, description="minimum labelled rows; training refuses with fewer")
    minimum_positives: int = Field(30, ge=1, description="minimum positive rows; training refuses with fewer")
    leak_auc: float = Field(0.9, gt=0.5, le=1, description="a single feature with a higher AUC is a suspected leak")
    on_suspected_leak: Literal["stop", "warn"] = Field(
        "stop", description="what training does when it finds a suspected leak"
    )
    on_nothing_to_gain: Literal["stop", "warn"] = Field(
        "warn", description="what training does when no model beats guessing"
    )
    rate_moved: float = Field(
        0.2, gt=0, description="maximum relative difference between mean probability and observed rate"
    )
    psi_warning: float = Field(
        0.2,
        gt=0,
        description="warn if the population stability index of a feature exceeds this, and chance does not explain it",
    )


class EvaluationSettings(Strict):
    """How sure the numbers are."""

    bootstrap_replicates: int = Field(200, ge=200, le=5000, description="bootstrap replicates for each interval")
    calibration: Literal["isotonic", "platt"] = Field("platt", description="how scores become probabilities")
    odds_ratio_replicates: int = Field(
        30, ge=10, le=1000, description="bootstrap replicates for the intervals of odds ratios"
    )
    reasons: int = Field(3, ge=1, le=20, description="number of reasons for each score")
    with_leaks: bool | Literal["champion"] = Field(
        "champion",
        description="which models are also evaluated with features known only after the decision: the chosen one, on "
        "the split that decides (`champion`), all on every split (`true`, doubles the time), none (`false`)",
    )
    intervals: Literal["all", "verdict"] = Field(
        "all", description="compute intervals for every row of the scoreboard, or only for those the verdict rests on"
    )
    units: dict[Name, float] = Field(default_factory=dict, description="feature → units per odds ratio")
    references: dict[Name, str] = Field(
        default_factory=dict, description="feature → reference level of its odds ratios"
    )


class Score(Strict):
    """Which rows `otklik score` works on: SQL over the feature table's columns."""

    where: str = Field("true", description="SQL condition over the feature table: the rows to score")


class Report(Strict):
    """Additional contents of the report."""

    attributes: list[Name] = Field(default_factory=list, description="attributes to show, in this order; default: all")
    attribute_bands: dict[Name, list[float]] = Field(
        default_factory=dict, description="feature → cut points of its bands on the page"
    )
    remarks: list[Text] = Field(default_factory=list, description="sentences to add to the page")
    rows_to_speak: int = Field(
        50,
        ge=1,
        description="levels with fewer labelled rows are shown, but no sentence quotes their rate or odds ratio",
    )


class BaseTask(Strict):
    """Settings of every task, whatever its kind."""

    name: Name = Field(description="name of the task, its tables and its page")
    kind: str = Field(description=KIND_MEANING)
    title: Text = Field(description="title of its page")
    question: Text = Field(description="the question, shown below the title")
    inputs: dict[Name, TableName] = Field(min_length=1, description="frame name → silver or gold table")

    @field_validator("inputs")
    @classmethod
    def _free_names(cls, inputs: dict[str, str]) -> dict[str, str]:
        if "rows" in inputs:
            raise ValueError("'rows' is reserved for the task's own rows; rename the input")
        return inputs


class FrameSettings(Strict):
    """The rows of one frame that a kind reads: columns of an input, or a SELECT over several."""

    input: Name | None = Field(None, description="a name in [inputs]; optional if there is only one")
    where: str | None = Field(None, description="SQL condition over the input's columns that selects the rows")
    columns: dict[Name, str] = Field(
        default_factory=dict,
        description="the kind's column → SQL expression over the input's columns; columns of the same name can be "
        "omitted",
    )
    sql: Name | None = Field(None, description="instead of the above: a .sql file next to the task, with one SELECT")
    settings: dict[Name, TemplateValue] = Field(default_factory=dict, description="values for the .sql file's template")

    def impossible(self) -> list[str]:
        """A SELECT together with keys that it replaces."""
        is_both = self.sql is not None and (self.input is not None or self.where is not None or self.columns)
        return ["sql: replaces input, where and columns; use one or the other"] if is_both else []


class KindTask(BaseTask):
    """Settings of tasks whose kind reads frames: all kinds but `classify`."""

    frames: dict[Name, FrameSettings] = Field(
        default_factory=dict, description="the rows that the kind reads; `otklik kinds NAME` lists frames and columns"
    )
    seed: int = Field(7, ge=0, lt=2**31, description="random seed")
    remarks: list[Text] = Field(default_factory=list, description="caveats of the data, shown on the page")


class Task(BaseTask):
    """All of one yes-or-no task; see the classes of its tables."""

    kind: Literal["classify"] = Field(description=KIND_MEANING)
    rows: Rows
    features: dict[Name, FeatureGroup] = Field(min_length=1)
    decision: Decision | None = None
    splits: Splits = Splits()
    preparation: PreparationSettings = PreparationSettings()
    models: Models = Models()
    champion: ChampionSettings = ChampionSettings()
    checks: Checks = Checks()
    evaluation: EvaluationSettings = EvaluationSettings()
    score: Score = Score()
    report: Report = Report()

    def check_feature_names(self, given: Collection[str]) -> None:
        """Check that every feature that the task names is returned by one of its SELECTs.

        Raises:
            ConfigurationError: naming all unknown features, with their keys.
        """
        places: dict[str, Collection[str]] = {
            **{f"features.{group}.leave_out": settings.leave_out for group, settings in self.features.items()},
            "preparation.log_scale": self.preparation.log_scale,
            "preparation.categorical": self.preparation.categorical,
            "preparation.filled": self.preparation.filled,
            "preparation.bands": self.preparation.bands,
            "models.sequence.events": [] if self.models.sequence is None else [self.models.sequence.events],
            "evaluation.units": self.evaluation.units,
            "evaluation.references": self.evaluation.references,
            "report.attributes": self.report.attributes,
            "report.attribute_bands": self.report.attribute_bands,
        }
        left_out = {name for settings in self.features.values() for name in settings.leave_out}
        unknown = [
            f"{place} names {name!r}"
            for place, names in places.items()
            for name in names
            if name not in given or (name in left_out and not place.endswith("leave_out"))
        ]
        if unknown:
            raise ConfigurationError(
                f"{'; '.join(unknown)}: not a feature of the task",
                where=f"task {self.name}",
                hint="features are the columns documented in the SQL files that [features] names",
            )

    def impossible(self) -> list[str]:
        """A unit for a number that is taken as its logarithm."""
        return [
            f"evaluation.units names {name!r}, which has no unit, because preparation.log_scale takes its logarithm"
            for name in sorted(set(self.evaluation.units).intersection(self.preparation.log_scale))
        ]
