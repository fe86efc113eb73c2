from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from scipy import special
from sklearn.metrics import confusion_matrix, f1_score, log_loss
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import StandardScaler
from tests.bench import stage_context
from tests.pages import page_of

from otklik.errors import ConfigurationError, RefusedError
from otklik.insights.multiclass.judging import compare, figures_of
from otklik.insights.multiclass.kind import KIND, MulticlassTask
from otklik.insights.multiclass.method import run
from otklik.insights.multiclass.temperature import fit_exponent
from otklik.kind import Measure, StageResult
from otklik.settings import validate

Answer = Callable[..., StageResult]
#: As few fits as show the way.
QUICK = {"split": {"folds": 2}, "random_forest": {"trees": 5, "max_depth": 3}}
LINEAR = {"split": {"folds": 2}, "models": ["logistic_regression"]}


def multiclass_task(**changes: Any) -> MulticlassTask:
    values = {
        "name": "classes", "kind": "multiclass", "title": {"en": "Classes", "ru": "Классы"},
        "question": {"en": "Which?", "ru": "Какой?"}, "inputs": {"x": "silver.x"}, "frames": {"customers": {}},
    }  # fmt: skip
    return validate(MulticlassTask, {**values, **changes}, "test")


@pytest.fixture
def answer(spark: SparkSession, tmp_path: Path) -> Answer:
    def classified(customers: DataFrame, **changes: Any) -> StageResult:
        return run({"customers": customers}, multiclass_task(**changes), stage_context(spark, tmp_path))

    return classified


def measure(result: StageResult, name: str, subject: str) -> Measure:
    return next(one for one in result.measures if (one.measure, one.subject) == (name, subject))


def verdict(result: StageResult) -> str:
    assert result.verdict is not None
    return result.verdict.verdict


def best(result: StageResult) -> str:
    """The model that assigns new customers."""
    assert result.verdict is not None
    assert result.verdict.key is not None
    return result.verdict.key.subject


def made_customers(effect: float, count: int = 600) -> pd.DataFrame:
    """Three classes, of which numbers and a city tell as much as `effect` says."""
    random = np.random.default_rng(3)
    place = random.choice(3, count, p=[0.5, 0.3, 0.2])
    rows = pd.DataFrame(random.normal(size=(count, 2)) + effect * np.stack([place, -(place % 2)], axis=1))
    rows.columns = pd.Index(["visits", "spent"])
    city = np.where(random.random(count) < min(effect, 0.8), place, random.choice(3, count))
    return rows.assign(
        customer=[f"c{number}" for number in range(count)],
        city=np.array(["Almaty", "Astana", "Atyrau"])[city],
        **{"class": np.array(["loyal", "rare", "lost"])[place]},
    )


@pytest.fixture(scope="module")
def planted(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> StageResult:
    """Every tenth customer has no class."""
    rows = made_customers(2.0)
    given = F.when(F.col("is_new"), None).otherwise(F.col("class"))
    customers = spark.createDataFrame(rows.assign(is_new=rows.index % 10 == 0)).withColumn("class", given)
    context = stage_context(spark, tmp_path_factory.mktemp("planted"))
    result = run({"customers": customers.drop("is_new")}, multiclass_task(**QUICK), context)
    return replace(result, tables={name: table.persist() for name, table in result.tables.items()})


def test_planted_classes_are_told_and_new_customers_assigned(planted: StageResult) -> None:
    rows = made_customers(2.0)
    is_new = rows.index % 10 == 0
    predictions = planted.tables["predictions"].toPandas().set_index("customer").loc[rows["customer"]]
    right = predictions["predicted"].to_numpy() == rows["class"].to_numpy()

    assert verdict(planted) == "gain"
    assert predictions["is_new"].tolist() == is_new.tolist()
    assert right[is_new].mean() > 0.85
    assert right[~is_new].mean() == pytest.approx(measure(planted, "accuracy", best(planted)).value)
    assert [sum(one.values()) for one in predictions["probabilities"]] == pytest.approx([1.0] * 600)


def test_figures_are_those_of_scikit_learn(planted: StageResult) -> None:
    predictions = planted.tables["predictions"].where("NOT is_new").toPandas()
    labels, names = predictions["class"], ["lost", "loyal", "rare"]
    probabilities = np.array([[one[name] for name in names] for one in predictions["probabilities"]])
    f1 = f1_score(labels, predictions["predicted"], labels=names, average=None)
    of_model = planted.tables["confusion"].where(F.col("model") == best(planted)).toPandas()
    confusion = of_model.pivot_table("customers", "class", "predicted", fill_value=0)

    assert measure(planted, "macro_f1", best(planted)).value == pytest.approx(f1.mean())
    assert [measure(planted, "f1", name).value for name in names] == pytest.approx(f1.tolist())
    assert measure(planted, "log_loss", best(planted)).value == pytest.approx(log_loss(labels, probabilities))
    assert confusion.to_numpy().tolist() == confusion_matrix(labels, predictions["predicted"]).tolist()


def test_the_page_names_the_model_and_the_simple_rules(planted: StageResult) -> None:
    task = multiclass_task(class_titles={"lost": {"en": "Lost ones", "ru": "Потерянные"}}, **QUICK)

    english, russian = (page_of(KIND, task, planted, language) for language in ("en", "ru"))

    assert "Nearest centroid" in english
    assert "Lost ones" in english
    assert "60 customers without a class" in english
    assert "Ближайший центр" in russian
    assert "Потерянные" in russian


@pytest.mark.long
def test_noise_is_no_gain(answer: Answer, spark: SparkSession) -> None:
    result = answer(spark.createDataFrame(made_customers(0.0)), **LINEAR)

    assert verdict(result) == "no_gain"


@pytest.mark.long
def test_the_earlier_customers_predict_the_later_ones(answer: Answer, spark: SparkSession) -> None:
    rows = made_customers(2.0)
    rows["moment"] = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(rows.index // 2, unit="h")
    # What is learnt from the past no longer holds: the classes have changed their names.
    rows.loc[rows.index >= 450, "class"] = rows["class"].map({"loyal": "lost", "lost": "rare", "rare": "loyal"})

    result = answer(spark.createDataFrame(rows), **{**LINEAR, "split": {"way": "time", "folds": 3}})

    assert verdict(result) == "no_gain"
    assert set(result.tables["predictions"].toPandas()["customer"]) == set(rows.loc[rows.index >= 450, "customer"])


def test_the_nearest_centroid_is_that_of_scikit_learn(answer: Answer, spark: SparkSession) -> None:
    """By time; it takes two days, 48 rows, until the class of a customer is known."""
    rows = made_customers(1.0).drop(columns="city")
    rows["moment"] = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(rows.index, unit="h")
    past, later = rows[:402], rows[450:]
    scaler = StandardScaler().fit(past[["visits", "spent"]])
    centroids = NearestCentroid().fit(scaler.transform(past[["visits", "spent"]]), past["class"])
    expected = centroids.predict(scaler.transform(later[["visits", "spent"]]))

    result = answer(spark.createDataFrame(rows), **{**LINEAR, "split": {"way": "time", "label_days": 2}})

    accuracy = measure(result, "accuracy", "nearest_centroid")
    assert accuracy.rows == 150
    assert accuracy.value == pytest.approx((expected == later["class"]).mean())


def test_too_bold_probabilities_are_made_careful() -> None:
    random = np.random.default_rng(0)
    honest = special.softmax(random.normal(size=(5000, 3)), axis=1)
    labels = np.array([random.choice(3, p=one) for one in honest])
    bold = honest**3 / (honest**3).sum(axis=1, keepdims=True)

    assert fit_exponent(bold, labels) == pytest.approx(1 / 3, rel=0.1)


def test_resamples_of_counts_are_resamples_of_rows() -> None:
    """Intervals from counts are those of a bootstrap of the rows."""
    random = np.random.default_rng(0)
    own, model, rule = random.integers(0, 3, (3, 400))
    model = np.where(random.random(400) < 0.6, own, model)
    counts = np.zeros((3, 3, 3), dtype=np.int64)
    np.add.at(counts, (own, model, rule), 1)
    found = compare(counts, 0, 2000, 7)
    drawn = random.integers(0, 400, (2000, 400))
    by_rows = [f1_score(own[one], model[one], average="macro") for one in drawn[:500]]

    assert found.figures["model"].macro_f1 == pytest.approx(f1_score(own, model, average="macro"))
    assert np.percentile(found.draws["model"].macro_f1, [2.5, 97.5]) == pytest.approx(
        np.percentile(by_rows, [2.5, 97.5]), abs=0.01
    )


def test_a_class_that_nobody_is_in_or_called_has_no_f1() -> None:
    assert figures_of(np.array([[3, 0], [0, 0]])).f1.tolist() == [1.0, 0.0]


@pytest.mark.long
def test_the_same_rows_give_the_same_answer_on_every_layout(answer: Answer, spark: SparkSession) -> None:
    customers = spark.createDataFrame(made_customers(1.0))

    answers = [
        answer(customers.repartition(parts), **QUICK).tables["predictions"].toPandas().sort_values("customer")
        for parts in (1, 4)
    ]

    assert answers[0]["predicted"].tolist() == answers[1]["predicted"].tolist()
    assert answers[0]["probability"].tolist() == pytest.approx(answers[1]["probability"].tolist(), abs=1e-9)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows.assign(**{"class": "one"}), "1 classes; at least 2"),
        (lambda rows: rows.assign(**{"class": rows.index.astype(str)}), "more than 30 classes"),
        (lambda rows: rows[(rows["class"] != "lost") | (rows.index < 60)], r"fewer than 50 customers: lost \(\d+\)"),
        (lambda rows: pd.concat([rows, rows[:3]]), "603 rows for 600 customers"),
        (lambda rows: rows.assign(visits=1.0, spent=2.0, city="x"), "all 3 properties are the same"),
        (lambda rows: rows[:0], "0 classes"),
    ],
)
def test_customers_who_cannot_be_classified(
    answer: Answer, spark: SparkSession, change: Callable[[pd.DataFrame], pd.DataFrame], said: str
) -> None:
    schema = "visits double, spent double, customer string, city string, class string"
    with pytest.raises(RefusedError, match=said):
        answer(spark.createDataFrame(change(made_customers(1.0)), schema), **LINEAR)


def test_settings_and_columns_that_do_not_go_together(answer: Answer, spark: SparkSession) -> None:
    customers = spark.createDataFrame(made_customers(1.0))
    with pytest.raises(ConfigurationError, match="needs the column moment"):
        answer(customers, split={"way": "time"})
    same_moment = customers.withColumn("moment", F.lit("2026-01-01").cast("timestamp"))
    with pytest.raises(RefusedError, match="cannot be split by time"):
        answer(same_moment, split={"way": "time"})
    lost_is_new = F.when(F.col("class") == "lost", F.lit("2026-03-01")).otherwise(F.lit("2026-01-01"))
    with pytest.raises(RefusedError, match="1 of 3 classes have no customer in the training part"):
        answer(customers.withColumn("moment", lost_is_new.cast("timestamp")), split={"way": "time"})
    with pytest.raises(ConfigurationError, match="no property"):
        answer(customers.select("customer", "class"))
    with pytest.raises(ConfigurationError, match="'age' is not a column"):
        answer(customers, preparation={"log_scale": ["age"]})
    with pytest.raises(ConfigurationError, match="a model stands twice"):
        multiclass_task(models=["random_forest", "random_forest"])
