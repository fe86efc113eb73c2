"""The kind `multiclass`: its settings, frames and tables."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import Column, answer_table
from otklik.settings import Strict, Text
from otklik.task import KIND_MEANING, KindTask, PreparationSettings

#: Maximum number of classes, so that the confusion matrix stays readable and can be resampled.
MOST_CLASSES = 30


class Split(Strict):
    """On which customers the models are evaluated."""

    way: Literal["folds", "time"] = Field(
        "folds",
        description="folds: cross-validation; time: the latest customers are predicted by models trained on earlier "
        "ones, by the frame's column moment",
    )
    folds: int = Field(5, ge=2, le=20, description="number of folds, assigned by a hash of the customer")
    test_share: float = Field(0.25, gt=0, lt=0.9, description="share of the latest customers; for way = time")
    label_days: int = Field(
        0,
        ge=0,
        le=3650,
        description="days from the moment until the class is known; for way = time models learn only from customers "
        "whose class was known when the first of the latest customers is predicted",
    )


class LogisticRegression(Strict):
    """Multinomial logistic regression (MLlib)."""

    reg_param: float = Field(0.001, ge=0, description="strength of the ridge penalty")
    max_iter: int = Field(100, ge=1, description="maximum number of iterations")


class RandomForest(Strict):
    """Random forest (MLlib)."""

    trees: int = Field(50, ge=1, le=2000, description="number of trees")
    max_depth: int = Field(8, ge=1, le=30, description="maximum depth of a tree")
    min_leaf: int = Field(5, ge=1, description="minimum customers per leaf")


class MulticlassTask(KindTask):
    """Settings of a multiclass task."""

    kind: Literal["multiclass"] = Field(description=KIND_MEANING)
    split: Split = Split()
    preparation: PreparationSettings = PreparationSettings()
    models: list[Literal["logistic_regression", "random_forest"]] = Field(
        ["logistic_regression", "random_forest"],
        min_length=1,
        description="models to compare; the one with the lowest log loss after calibration assigns new customers",
    )
    logistic_regression: LogisticRegression = LogisticRegression()
    random_forest: RandomForest = RandomForest()
    minimum_class_rows: int = Field(
        50, ge=10, description="minimum customers per class; a task with a smaller class is refused"
    )
    bootstrap_replicates: int = Field(1000, ge=200, le=10_000, description="bootstrap replicates for the intervals")
    class_titles: dict[str, Text] = Field(default_factory=dict, description="title of each class on the page")
    labels: dict[str, Text] = Field(default_factory=dict, description="title of each column on the page")

    def impossible(self) -> list[str]:
        """Refuse a model named twice, and a split by time without moments."""
        faults = [] if len(set(self.models)) == len(self.models) else ["models: a model stands twice"]
        if self.preparation.filled:
            faults.append("preparation.filled: applies to classify only")
        return faults


_CUSTOMERS = Frame(
    "customers",
    Text(en="one row per customer with its properties", ru="строка на клиента с его свойствами"),
    (
        FrameColumn(
            "customer",
            "string",
            Text(en="customer", ru="клиент"),
            is_key=True,
            like=("customer", "client", "user", "id"),
        ),
        FrameColumn(
            "class",
            "string",
            Text(
                en="the class; customers without one are assigned to a class",
                ru="класс; клиентов без класса относят к одному из классов",
            ),
            is_required=False,
            like=("class", "segment", "category", "group", "type", "status"),
        ),
        FrameColumn(
            "moment",
            "timestamp",
            Text(en="when the properties were known; for a split by time", ru="на какой момент известны свойства"),
            is_required=False,
            is_optional=True,
            like=("date", "time", "moment"),
        ),
    ),
    others="any",
)  # fmt: skip

_TABLES = (
    answer_table(
        "predictions",
        "one row per customer: the class that the model expects",
        "customer STRING the customer",
        "class STRING the given class; null for new customers",
        "predicted STRING the most probable class",
        "probability DOUBLE of it, calibrated",
        "probabilities MAP<STRING,DOUBLE> of each class, calibrated",
        Column(
            "is_new",
            "BOOLEAN",
            "whether the customer has no class; the others are predicted by a model that "
            "has not seen them, where they were judged",
        ),
        key=("customer",),
    ),
    answer_table(
        "confusion",
        "how often each class was taken for each, on customers that the models had not seen",
        "model STRING logistic_regression, random_forest, nearest_centroid or majority",
        "class STRING the given class",
        "predicted STRING the predicted one",
        "customers BIGINT how many",
        key=("model", "class", "predicted"),
    ),
    answer_table(
        "abstention",
        "how often the model is right if it only answers where it is sure enough",
        "threshold DOUBLE least probability of the predicted class, in hundredths",
        "customers BIGINT customers who get an answer",
        "coverage DOUBLE share of all customers",
        "accuracy DOUBLE share of the answers that are right",
        "expected DOUBLE mean probability of the answers; accuracy, if calibrated",
        key=("threshold",),
    ),
)

KIND = Kind(
    name="multiclass",
    title=Text(en="Classification", ru="Какой класс"),
    summary=Text(
        en="Which of the given classes does each customer belong to, and how accurate is that compared with naive "
        "rules?",
        ru="К какому из заданных классов относится каждый клиент и насколько это точнее наивных правил?",
    ),
    task=MulticlassTask,
    stages=(Stage("multiclass", "otklik.insights.multiclass.method:run", (_CUSTOMERS,), _TABLES),),
    section="otklik.insights.multiclass.section:section",
    example="""\
[split]
# folds: by a hash of the customer. time: the latest customers, by frames.customers.columns.moment.
way = "folds"
""",
)
