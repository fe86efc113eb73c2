"""Definitions of all tables: schema, key, properties and a one-line meaning.

A table is a value; the store knows where it is. Families (`<source>`, `<task>`) share fixed columns, to which a source
contract or a task adds its own. Columns that start with `_` depend on the run and not on the data, so content hashes
leave them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Column:
    """A column: name, Spark SQL type, one line of meaning."""

    name: str
    type: str
    meaning: str = ""

    @property
    def dtype(self) -> tuple[str, str]:
        """Its name and type as in `DataFrame.dtypes`."""
        return self.name, self.type.lower().replace(", ", ",")


@dataclass(frozen=True)
class Table:
    """A table's definition: `name` is layer.name, `key` the columns that make a row unique.

    `constraints` are SQL predicates by name; Delta refuses a write of which a row breaks one, no matter who writes.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    properties: dict[str, str] = field(default_factory=dict)
    constraints: dict[str, str] = field(default_factory=dict)

    @property
    def dtypes(self) -> list[tuple[str, str]]:
        """Its columns as in `DataFrame.dtypes`."""
        return [column.dtype for column in self.columns]

    @property
    def ddl(self) -> str:
        """Names and types of its columns, as Spark reads a schema."""
        return ", ".join(f"`{column.name}` {column.type}" for column in self.columns)

    @property
    def own_names(self) -> list[str]:
        """The columns that the method of a kind fills: all but the run."""
        return [column.name for column in self.columns if column != RUN_ID]

    @property
    def own_ddl(self) -> str:
        """Their names and types, as Spark reads a schema."""
        return ", ".join(f"`{column.name}` {column.type}" for column in self.columns if column != RUN_ID)

    @property
    def counted(self) -> tuple[str, ...]:
        """The columns named as those of which Delta keeps the least and the greatest value in each file."""
        names = self.properties.get("delta.dataSkippingStatsColumns", "").split(",")
        return tuple(name.strip("`") for name in names if name)

    @property
    def layer(self) -> str:
        """bronze, silver, gold or ops."""
        return self.name.partition(".")[0]

    def of(self, name: str, columns: tuple[Column, ...] = (), **changes: object) -> Table:
        """The member of a family: `<source>` or `<task>` replaced, its own columns before the fixed ones."""
        start, _, rest = self.name.partition("<")
        _, _, end = rest.partition(">")
        return replace(self, name=start + name + end, columns=columns + self.columns, **changes)  # type: ignore[arg-type]


#: The last column of every table of a kind; the runner fills it.
RUN_ID = Column("run_id", "STRING", "the run")


def columns(*rows: str | Column) -> tuple[Column, ...]:
    """Columns from lines `name TYPE meaning`; a type has no blanks."""
    return tuple(row if isinstance(row, Column) else Column(*[*row.split(maxsplit=2), ""][:3]) for row in rows)


def answer_table(
    what: str,
    meaning: str,
    *rows: str | Column,
    key: tuple[str, ...] = (),
    constraints: Mapping[str, str] | None = None,
) -> Table:
    """A table that a stage of a kind writes: gold.<task>_what, with the run as its last column.

    Args:
        what: the last part of its name.
        meaning: what one row is.
        rows: its columns as lines `name TYPE meaning`, without the run.
        key: the columns that make a row unique.
        constraints: SQL predicates by name.
    """
    return Table(f"gold.<task>_{what}", meaning, (*columns(*rows), RUN_ID), key, constraints=dict(constraints or {}))


def rebuild_hint(table: str) -> str:
    """What to do where no backup brings the rows of a table back."""
    layer, _, name = table.partition(".")
    if layer == "silver":
        return f"rebuild it with `otklik reingest {name}`"
    if layer == "bronze" and table != REJECTED.name:
        return f"withdraw its files with `otklik reingest {name} --without '*'` and ingest them again"
    return "ingest all files into a fresh lake"


_ARRIVAL = columns(
    "_file STRING name of the file the row came from",
    "_record_no BIGINT number of the record in that file, from 1, header not counted",
    "_batch STRING the ingest of one file content",
    "_arrived_at TIMESTAMP when that ingest started",
)

#: Of every table. Delta lets nobody read, or go back to, a version older than the retention of deleted files, a week
#: unless told otherwise, even where no file was deleted: a source that comes once a month could not be repaired, and
#: no question of last month answered again. Files go when `otklik maintain` vacuums, not by this.
HOUSE_PROPERTIES = {
    "delta.deletedFileRetentionDuration": "interval 365 days",
    "delta.logRetentionDuration": "interval 365 days",
}

#: Each batch leaves a transaction id in the table's log; those of long ago protect nothing.
_ONE_TRANSACTION_PER_BATCH = {"delta.setTransactionRetentionDuration": "interval 90 days"}

BRONZE = Table(
    "bronze.<source>",
    "every record as received, and where it came from",
    columns(
        "record STRING the record as text",
        "file STRING name of the file",
        "record_no BIGINT number of the record in the file, from 1, header not counted",
        "_batch STRING the ingest of one file content",
        "_arrived_at TIMESTAMP when that ingest started",
    ),
    key=("_batch", "record_no"),
    properties={"delta.dataSkippingStatsColumns": "record_no,_batch,_arrived_at", **_ONE_TRANSACTION_PER_BATCH},
)

REJECTED = Table(
    "bronze.rejected",
    "every record that broke its contract, with all reasons",
    columns(
        "source STRING the contract",
        "file STRING name of the file",
        "record_no BIGINT number of the record in the file",
        "reasons ARRAY<STRUCT<reason:STRING,column:STRING,rule:STRING>> what is wrong with it",
        "record STRING the record as text",
        "_batch STRING the ingest of one file content",
        "_arrived_at TIMESTAMP when that ingest started",
    ),
    key=("_batch", "record_no"),
    properties={"delta.dataSkippingStatsColumns": "source,record_no,_batch,_arrived_at", **_ONE_TRANSACTION_PER_BATCH},
)

SILVER = Table(
    "silver.<source>",
    "typed, keyed, de-duplicated rows; personal columns as pseudonyms",
    _ARRIVAL,
    properties=_ONE_TRANSACTION_PER_BATCH,
)

FILES = Table(
    "ops.files",
    "the ledger of files: one row per source and content, with its exact balance",
    columns(
        "source STRING the contract",
        "file STRING name of the file",
        "bytes BIGINT size as received",
        "content_hash STRING sha-256 of the bytes",
        "contract_hash STRING sha-256 of what the contract says of how rows are read",
        "rows BIGINT records in the file",
        "accepted BIGINT = inserted + updated",
        "inserted BIGINT rows new to silver",
        "updated BIGINT rows that replaced an older version",
        "rejected BIGINT records that broke the contract",
        "duplicates BIGINT records already known under their key",
        "repeated BIGINT those of the duplicates whose key an earlier file had brought",
        "table_versions MAP<STRING,BIGINT> versions of the tables after this file",
        "started_at TIMESTAMP start of the ingest",
        "ended_at TIMESTAMP end of the ingest",
        "status STRING loaded | rejected | replaced (by a file of the same name) | withdrawn (by `otklik reingest`)",
        "warnings MAP<STRING,BIGINT> rows per broken rule of severity warn, lookalikes, records_in_quotes, without_key",
        "_batch STRING the ingest of one file content",
        "read_as STRING the names in its header, and how it was cut into records, as JSON; empty for refused files",
    ),
    key=("source", "content_hash"),
    constraints={
        "status_is_known": "status IN ('loaded', 'rejected', 'replaced', 'withdrawn')",
        "nothing_lost_nothing_twice": (
            "status = 'rejected' OR (rows = accepted + rejected + duplicates AND accepted = inserted + updated)"
        ),
    },
)

RUNS = Table(
    "ops.runs",
    "the ledger of steps: one row per start of a step",
    columns(
        "run_id STRING hash of task, as-of, settings, marks of the inputs, input versions and code",
        "job STRING the step",
        "task STRING the task or source",
        "as_of TIMESTAMP the moment it looks from",
        "status STRING done | reused | failed",
        "inputs MAP<STRING,STRING> what it read: table → version, model → run",
        "outputs MAP<STRING,BIGINT> versions of the tables it wrote",
        "rows_in BIGINT rows read",
        "rows_out BIGINT rows written, or evaluated in a training",
        "settings_hash STRING sha-256 of the settings",
        "code_version STRING version and content hash of the package",
        "started_at TIMESTAMP start",
        "ended_at TIMESTAMP end",
        "message STRING message for the user",
    ),
    constraints={"status_is_known": "status IN ('done', 'reused', 'failed')"},
)

FEATURES = Table(
    "gold.<task>_features",
    "one row per entity and decision moment; the task's features as named columns",
    columns(
        "_run_id STRING the run that built it",
    ),
    key=("key", "as_of"),
)

#: The fixed columns that stand before a task's features.
FEATURE_KEYS = columns(
    "key STRING the entity",
    "as_of TIMESTAMP the decision moment: nothing later counts",
    "unit STRING what the bootstrap draws: the customer",
    "label INT 1, 0, or null where it is not known",
    "label_state STRING yes | no | immature | unlabelled",
    "position BIGINT order of rows within a moment, or null",
)

PREDICTIONS = Table(
    "gold.<task>_predictions",
    "what each model said of each labelled row that it had not seen; the scoreboard and the curves come from here",
    columns(
        "key STRING the entity",
        "as_of TIMESTAMP the decision moment",
        "unit STRING what the bootstrap draws",
        "label INT 1 or 0",
        "model STRING the model",
        "leaks STRING with | without",
        "split STRING random | time",
        "fold INT the fold that held the row out; -1 for the time test part",
        "margin DOUBLE log-odds, mean leaf probability, or the SVC's margin",
        "raw DOUBLE the model's own probability; null for linear_svc",
        "calibrated DOUBLE probability after the calibrator",
        "run_id STRING the run",
    ),
    key=("model", "leaks", "split", "key", "as_of"),
    constraints={
        "label_is_an_answer": "label IN (0, 1)",
        "probabilities": "coalesce(raw BETWEEN 0 AND 1, true) AND coalesce(calibrated BETWEEN 0 AND 1, true)",
    },
)

SCOREBOARD = Table(
    "gold.scoreboard",
    "every model × leaks × split × calibration, beside the majority answer",
    columns(
        "task STRING the task",
        "run_id STRING the run",
        "model STRING majority, logistic_regression, decision_tree, random_forest, naive_bayes, linear_svc, xgboost, "
        "perceptron or sequence",
        "leaks STRING with | without features known only after the decision",
        "split STRING random | time",
        "calibration STRING raw | calibrated",
        "rows BIGINT test rows",
        "positives BIGINT test rows with label 1",
        "mean_probability DOUBLE mean of the probabilities",
        "accuracy DOUBLE share right at .5",
        "majority_accuracy DOUBLE share right when every row gets the majority answer of the training rows",
        "auc DOUBLE area under the ROC curve, ties count half",
        "auc_within DOUBLE the same over pairs that share a decision moment",
        "pr_auc DOUBLE average precision",
        "log_loss DOUBLE mean negative log-likelihood, nats",
        "brier DOUBLE mean squared error of the probability",
        "ece DOUBLE expected calibration error over 10 bins of equal count",
        "lift_10 DOUBLE response rate of the best tenth over that of all",
        "gain_50 DOUBLE share of responses in the best half",
        "threshold DOUBLE cost / value",
        "profit DOUBLE value × responses − cost × contacts above the threshold",
        "accuracy_low DOUBLE lower bound of the 95 % interval",
        "accuracy_high DOUBLE upper bound",
        "auc_low DOUBLE lower bound",
        "auc_high DOUBLE upper bound",
        "auc_within_low DOUBLE lower bound",
        "auc_within_high DOUBLE upper bound",
        "lift_10_low DOUBLE lower bound",
        "lift_10_high DOUBLE upper bound",
        "profit_low DOUBLE lower bound",
        "profit_high DOUBLE upper bound",
    ),
    key=("task", "run_id", "model", "leaks", "split", "calibration"),
)

MODEL_RUNS = Table(
    "gold.model_runs",
    "trained champions and their challengers; the serving one of a task is its latest row with serves = true",
    columns(
        "task STRING the task",
        "run_id STRING the run that trained it",
        "model STRING the model",
        "settings STRING the chosen setting, JSON",
        "metric STRING what was compared",
        "value DOUBLE out-of-fold value inside the training part",
        "value_before DOUBLE the same for the champion before, where there was one",
        "folder STRING the model's folder, relative to the lake",
        "manifest_hash STRING sha-256 of the manifest",
        "serves BOOLEAN whether this row makes it the champion",
        "reason STRING why it serves or not",
        "trained_at TIMESTAMP the as-of moment of the training",
        "sequence BIGINT order of the rows of a task",
    ),
    key=("task", "sequence"),
)

EXPLANATIONS = Table(
    "gold.explanations",
    "model explanations: odds ratios, importances, partial dependence",
    columns(
        "task STRING the task",
        "run_id STRING the run",
        "model STRING the model",
        "kind STRING odds_ratio | impurity | permutation | partial_dependence",
        "feature STRING the source column",
        "level STRING level, unit or grid point",
        "reference STRING the level it is compared with",
        "value DOUBLE odds ratio, importance or mean probability",
        "low DOUBLE lower bound of the 95 % interval; of permutation: the smallest of the losses that value averages",
        "high DOUBLE upper bound of the 95 % interval; of permutation: the greatest loss",
        "note STRING of odds ratios, shrunken_normal_interval: shrunken; the interval is from the bootstrap's standard "
        "error on the log scale",
    ),
    key=("task", "run_id", "model", "kind", "feature", "level"),
)

FINDINGS = Table(
    "gold.findings",
    "findings about features and data: redundant, rare, leaking, drifting",
    columns(
        "task STRING the task",
        "run_id STRING the run",
        "kind STRING constant | duplicate | correlated | rare_levels | suspected_leak | known_leak | drift "
        "| later_drift | rate_moved | events_in_order | sampled",
        "feature STRING the column",
        "detail STRING parameters of the message, as JSON",
        "value DOUBLE the number behind it",
        "action STRING kept | dropped | merged | warned | left out",
    ),
    key=("task", "run_id", "kind", "feature", "detail"),
)

SCORES = Table(
    "gold.<task>_scores",
    "the champion's probability for each row, and why",
    columns(
        "key STRING the entity",
        "as_of TIMESTAMP the decision moment",
        "probability DOUBLE calibrated probability of yes",
        "raw_score DOUBLE log-odds for logistic regression, mean leaf probability for trees",
        "base_value DOUBLE raw score of the average training row",
        "reasons ARRAY<STRUCT<feature:STRING,value:STRING,contribution:DOUBLE>> the strongest contributions",
        "other DOUBLE raw_score − base_value − Σ contributions",
        "decile INT 1 = best",
        "expected_profit DOUBLE probability × value − cost",
        "is_out_of_fold BOOLEAN whether the model had not seen the row's label",
        "run_id STRING the run",
    ),
    key=("key", "as_of"),
    constraints={"probability_is_one": "probability BETWEEN 0 AND 1", "decile_is_one": "decile BETWEEN 1 AND 10"},
)

ACTIONS = Table(
    "gold.<task>_actions",
    "whom to contact, best first, and who is held back as control",
    columns(
        "key STRING the entity",
        "as_of TIMESTAMP the decision moment",
        "rank BIGINT 1 = first",
        "arm STRING contact | control",
        "probability DOUBLE calibrated probability of yes",
        "expected_profit DOUBLE probability × value − cost",
        "run_id STRING the run",
    ),
    key=("key", "as_of"),
    constraints={"arm_is_known": "arm IN ('contact', 'control')", "probability_is_one": "probability BETWEEN 0 AND 1"},
)

ACTION_VALUE = Table(
    "gold.action_value",
    "expected and out-of-fold profit by contact policy",
    columns(
        "task STRING the task",
        "run_id STRING the run",
        "policy STRING list | all | none | oracle",
        "customers BIGINT rows contacted",
        "expected_profit DOUBLE by the probabilities",
        "out_of_fold_profit DOUBLE by the labels, chosen by out-of-fold probabilities; null without labels",
        "low DOUBLE lower bound of the 95 % interval of out_of_fold_profit",
        "high DOUBLE upper bound",
        "control_cost DOUBLE expected profit given up by holding control back",
    ),
    key=("task", "run_id", "policy"),
)

MEASURES = Table(
    "gold.measures",
    "every claim of every task, beside what a naive rule reaches on the same rows",
    columns(
        "task STRING the task",
        "run_id STRING the run",
        "subject STRING a segment, rule, arm or series; empty = the whole answer",
        "split STRING on which rows: all, train, test …",
        "measure STRING what is measured",
        "value DOUBLE the number",
        "low DOUBLE lower bound of the 95 % interval",
        "high DOUBLE upper bound",
        "baseline DOUBLE what the naive rule reaches",
        "rows BIGINT the rows that it rests on",
    ),
    key=("task", "run_id", "subject", "split", "measure"),
)

VERDICTS = Table(
    "gold.verdicts",
    "verdict of each task",
    columns(
        "task STRING the task",
        "run_id STRING the run",
        "kind STRING the kind of question",
        "as_of TIMESTAMP the as-of moment of the run; null where the inputs have no time",
        "verdict STRING gain | no_gain | too_little_data | invalid | descriptive",
        "reasons ARRAY<STRUCT<code:STRING,subject:STRING,parameters:MAP<STRING,STRING>,value:DOUBLE>> why",
        "key STRUCT<measure:STRING,subject:STRING,split:STRING,value:DOUBLE,low:DOUBLE,high:DOUBLE,baseline:DOUBLE,"
        "rows:BIGINT> the measure that counts most",
        "title STRUCT<en:STRING,ru:STRING> of the task",
        "question STRUCT<en:STRING,ru:STRING> of the task",
        "_made_at TIMESTAMP when the run wrote it",
    ),
    key=("task", "run_id"),
)

ASSIGNMENTS = Table(
    "gold.assignments",
    "who is in which arm of which experiment; rows are added and never changed",
    columns(
        "experiment STRING the task",
        "unit STRING who was drawn: a customer",
        "arm STRING the arm",
        "stratum STRING values of the columns of strata, parted by |; empty without strata",
        "assigned_at TIMESTAMP the moment that the draw looked from; null where the people have no time",
        "design STRING hash of arms, salt and strata",
        "run_id STRING the run",
    ),
    key=("experiment", "unit"),
)

LISTS = Table(
    "gold.lists",
    "every campaign's list as it was made last: what was promised, kept until its follow-up and after",
    columns(
        "task STRING the task that made it",
        "campaign STRING the campaign, as the task names it",
        "unit STRING the entity",
        "moment TIMESTAMP when the list was made: the as-of moment of the run",
        "arm STRING contact | control",
        "probability DOUBLE of yes after a contact; null where the kind has none",
        "effect DOUBLE expected change of that probability by the contact; null where the kind has none",
        "expected_profit DOUBLE of the contact",
        "run_id STRING the run",
    ),
    key=("task", "campaign", "unit", "run_id"),
)

#: Shared tables that only grow: of their versions the latest counts, whichever task wrote it.
GROWING = frozenset({ASSIGNMENTS.name, LISTS.name})

ALL_TABLES: tuple[Table, ...] = (
    BRONZE,
    REJECTED,
    SILVER,
    FEATURES,
    PREDICTIONS,
    SCOREBOARD,
    MODEL_RUNS,
    EXPLANATIONS,
    FINDINGS,
    SCORES,
    ACTIONS,
    ACTION_VALUE,
    MEASURES,
    VERDICTS,
    ASSIGNMENTS,
    LISTS,
    FILES,
    RUNS,
)
