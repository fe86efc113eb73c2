from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.metrics import adjusted_rand_score
from tests.bench import stage_context
from tests.pages import page_of

from otklik.errors import ConfigurationError, RefusedError
from otklik.insights.segment.agreement import adjusted_rand_index
from otklik.insights.segment.kind import KIND, NamedSegment, Rfm, SegmentTask
from otklik.insights.segment.method import run
from otklik.insights.segment.rfm import NUMBERS, rfm_per_customer, with_amount, with_cuts, with_segment
from otklik.insights.segment.worth import Values, worth
from otklik.kind import Measure, StageResult
from otklik.settings import Text, validate

Answer = Callable[..., StageResult]

PURCHASES = "customer string, moment timestamp, amount double, order string"
#: As few fits as show the way.
QUICK = {"clusters": {"k": [2, 3, 4], "starts": 2}, "evaluation": {"resamples": 5, "sample": 300}}


def segment_task(method: str, **changes: Any) -> SegmentTask:
    frame = "purchases" if method == "rfm" else "customers"
    values = {
        "name": "segments", "kind": "segment", "title": {"en": "Segments", "ru": "Сегменты"},
        "question": {"en": "Who?", "ru": "Кто?"}, "inputs": {"x": "silver.x"}, "frames": {frame: {}}, **changes,
    }  # fmt: skip
    if method != "rfm":
        values["clusters"] = {**values.get("clusters", {}), "method": method}
    return validate(SegmentTask, values, "test")


@pytest.fixture
def answer(spark: SparkSession, tmp_path: Path) -> Answer:
    def segmented(
        frames: Mapping[str, DataFrame], method: str = "rfm", as_of: str = "2011-12-10T23:59:59", **changes: Any
    ) -> StageResult:
        context = stage_context(spark, tmp_path, datetime.fromisoformat(as_of).replace(tzinfo=UTC))
        return run(frames, segment_task(method, **changes), context)

    return segmented


def verdict(result: StageResult) -> tuple[str, list[str]]:
    """The verdict and the codes of its reasons."""
    assert result.verdict is not None
    return result.verdict.verdict, [reason.code for reason in result.verdict.reasons]


def measure(result: StageResult, name: str, subject: str = "") -> Measure:
    return next(one for one in result.measures if (one.measure, one.subject) == (name, subject))


def model(result: StageResult, part: str, name: str) -> list[float]:
    rows = result.tables["model"].where((F.col("part") == part) & (F.col("property") == name)).orderBy("place")
    return [row["value"] for row in rows.collect()]


def cell(result: StageResult, score: int) -> int:
    same = " AND ".join(f"{name}_score = {score}" for name in ("recency", "frequency", "monetary"))
    return result.tables["scores"].where(same).count()


@pytest.fixture(scope="module")
def retail(spark: SparkSession, shared_data: Path) -> DataFrame:
    """The lines of online_retail that stand for purchases, as a task's frame would give them."""
    lines = spark.read.csv(str(shared_data / "online_retail" / "online_retail.csv.gz"), header=True)
    kept = lines.where(
        "InvoiceNo NOT LIKE 'C%' AND CustomerID IS NOT NULL AND try_cast(Quantity AS INT) > 0 "
        "AND try_cast(UnitPrice AS DOUBLE) > 0"
    )
    return kept.select(
        "*",
        F.col("CustomerID").alias("customer"),
        F.expr("try_to_timestamp(InvoiceDate)").alias("moment"),
        F.expr("CAST(Quantity AS INT) * CAST(UnitPrice AS DOUBLE)").alias("amount"),
        F.col("InvoiceNo").alias("order"),
    ).persist()


RULES = {
    "A": (8_911_407.904, 674.485, [250.194, 490.096, 942.276, 2058.426], 324),
    "B": (8_887_208.894, 668.570, [249.344, 487.412, 933.348, 2055.050], 323),
}


@pytest.mark.long
@pytest.mark.parametrize("rule", RULES)
def test_online_retail_scores_by_quantile_cuts(answer: Answer, retail: DataFrame, rule: str) -> None:
    revenue, median, monetary_cuts, best = RULES[rule]
    lines = retail if rule == "A" else retail.dropDuplicates()

    result = answer({"purchases": lines.select("customer", "moment", "amount", "order")})

    scores = result.tables["scores"].toPandas()
    assert len(scores) == 4338
    assert scores["monetary"].sum() == pytest.approx(revenue, abs=5e-4)
    assert scores[["recency", "frequency", "monetary"]].median().tolist() == pytest.approx([51, 2, median], abs=5e-4)
    assert model(result, "cut", "recency") == pytest.approx([13.8, 33, 72, 180])
    assert model(result, "cut", "frequency") == [1, 2, 3, 6]
    assert model(result, "cut", "monetary") == pytest.approx(monetary_cuts, abs=5e-4)
    assert (cell(result, 5), cell(result, 1)) == (best, 330)
    assert scores["frequency_score"].value_counts().sort_index().tolist() == [1493, 835, 508, 802, 700]


@pytest.mark.long
def test_online_retail_scores_by_rank_fifths(answer: Answer, retail: DataFrame) -> None:
    lines = retail.dropDuplicates().select("customer", "moment", "amount", "order")

    result = answer({"purchases": lines}, rfm={"scores": "rank_fifths"})

    assert (cell(result, 5), cell(result, 1)) == (347, 184)


@pytest.mark.long
def test_online_retail_segments_are_worth_having(answer: Answer, retail: DataFrame) -> None:
    lines = retail.dropDuplicates().select("customer", "moment", "amount", "order")

    result = answer({"purchases": lines}, rfm={"compare_days_before": 90})

    assert verdict(result)[0] == "gain"
    spread = measure(result, "value_spread")
    assert spread.low is not None
    assert spread.baseline is not None
    assert spread.low > spread.baseline
    assert measure(result, "stability").value == pytest.approx(0.97, abs=0.02)
    assert [finding.code for finding in result.findings] == ["crowded_score"]
    moved = result.tables["transitions"].toPandas()
    assert moved["customers"].sum() == 4338
    assert moved.loc[moved["segment_before"] != "", "customers"].sum() == 3385


def days(customer: str, *ago: int, amount: float = 10.0) -> list[tuple[str, datetime, float, str]]:
    """Purchases so many days before the end of 2011-12-10."""
    end = datetime(2011, 12, 10, 12, tzinfo=UTC)
    return [(customer, end - timedelta(days=day), amount, f"{customer}{day}") for day in ago]


def test_lines_of_one_order_count_once_and_days_are_calendar_days(spark: SparkSession) -> None:
    last = datetime(2011, 12, 8, 23, 59, tzinfo=UTC)
    now = datetime(2011, 12, 10, 23, 59, 59, tzinfo=UTC)
    rows = [("a", last, 1.1, "1"), ("a", last, 2.2, "1"), ("a", last, 3.3, None), ("a", last, 0.0, None)]
    purchases = with_amount(spark.createDataFrame([*rows, ("b", now, 5.0, "2")], PURCHASES))

    customers = rfm_per_customer(purchases, now, last).orderBy("customer").collect()

    assert [tuple(row)[:4] for row in customers] == [("a", 2, 3, 6.6), ("b", 0, 1, 5.0)]
    assert [tuple(row)[4:] for row in customers] == [(0, 3, 6.6, 0.0), (None, None, None, 5.0)]


def test_scores_count_cuts_below_and_the_first_named_segment_that_fits_is_taken(spark: SparkSession) -> None:
    rows = [("a", 1.0, 3.0, 9.0), ("b", 50.0, 2.0, 9.0), ("c", 51.0, 2.1, 9.0), ("d", 200.0, 1.0, 9.1)]
    placed = spark.createDataFrame(rows, "customer string, " + ", ".join(f"{name}_placed double" for name in NUMBERS))
    cuts = {"recency": [50.0], "frequency": [2.0], "monetary": [9.0]}
    title = Text(en="x", ru="x")
    lately, often = NamedSegment(title=title, recency=[2, 2]), NamedSegment(title=title, frequency=[2, 2])

    found = with_segment(with_cuts(placed, cuts), Rfm(levels=2, segments={"lately": lately, "often": often}))

    columns = ["recency_score", "frequency_score", "monetary_score", "segment"]
    assert [tuple(row) for row in found.orderBy("customer").select(columns).collect()] == [
        (2, 2, 1, "lately"), (2, 1, 1, "lately"), (1, 2, 1, "often"), (1, 1, 2, "other"),
    ]  # fmt: skip


@pytest.mark.long
def test_who_bought_before_is_compared_with_now(answer: Answer, spark: SparkSession) -> None:
    rows = days("a", 1, 150) + days("b", 120, 130) + days("c", 5, amount=7.5)
    title = {"en": "x", "ru": "x"}
    named = {"lately": {"recency": [2, 2], "title": title}, "long_ago": {"title": title}}
    settings = {"levels": 2, "segments": named, "compare_days_before": 90}

    result = answer({"purchases": spark.createDataFrame(rows, PURCHASES)}, rfm=settings)

    moved = {tuple(row) for row in result.tables["transitions"].collect()}
    assert moved == {("long_ago", "lately", 1), ("lately", "long_ago", 1), ("", "lately", 1)}
    segments = {row["segment"]: row["value_mean"] for row in result.tables["segments"].collect()}
    assert segments == {"long_ago": 10.0, "lately": 0.0}
    assert verdict(result) == ("too_little_data", ["few_customers"])


def random_purchases(spark: SparkSession, every: str) -> DataFrame:
    """400 customers who in 360 days buy on hashed days, one in so many, for hashed amounts."""
    days = spark.range(400).selectExpr("id", "explode(sequence(0, 359)) AS day")
    return days.where(f"pmod(xxhash64(id, day), {every}) = 0").selectExpr(
        "CAST(id AS STRING) AS customer",
        "timestamp'2011-12-10 12:00:00' - make_dt_interval(day) AS moment",
        "CAST(pmod(xxhash64(id, day, 'amount'), 100) AS DOUBLE) AS amount",
        "concat_ws('-', id, day) AS order",
    )


LOYAL = {"compare_days_before": 120}


@pytest.fixture(scope="module")
def loyal(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> StageResult:
    """Every second customer buys five times as often as the others."""
    context = stage_context(spark, tmp_path_factory.mktemp("loyal"), datetime(2011, 12, 10, 23, tzinfo=UTC))
    purchases = random_purchases(spark, "20 + 80 * pmod(id, 2)")
    return kept(run({"purchases": purchases}, segment_task("rfm", rfm=LOYAL), context))


def kept(result: StageResult) -> StageResult:
    """The result, its tables made once."""
    return replace(result, tables={name: table.persist() for name, table in result.tables.items()})


def test_planted_loyalty_gives_gain(loyal: StageResult) -> None:
    assert verdict(loyal) == ("gain", ["values_differ", "stable"])


@pytest.mark.long
def test_purchases_by_chance_give_none(answer: Answer, spark: SparkSession) -> None:
    result = answer({"purchases": random_purchases(spark, "30")}, rfm=LOYAL)

    assert verdict(result) == ("no_gain", ["values_alike", "stable"])


def test_the_page_names_segments_and_what_they_are_worth(loyal: StageResult) -> None:
    task = segment_task("rfm", rfm=LOYAL)

    english, russian = (page_of(KIND, task, loyal, language) for language in ("en", "ru"))

    assert "Worth using" in english
    assert "Champions" in english
    assert "Лучшие" in russian


def test_the_index_agrees_with_scikit_learn() -> None:
    random = np.random.default_rng(0)
    for groups in (2, 5, 30):
        first, second = random.integers(0, groups, 100), random.integers(0, 4, 100)
        second[:40] = first[:40] % 4
        counts = pd.crosstab(first, second).to_numpy(dtype=np.float64)

        assert adjusted_rand_index(counts) == pytest.approx(adjusted_rand_score(first, second), abs=1e-12)


def test_random_groups_are_as_permutations_make_them() -> None:
    """Labels permuted 2,000 times give the same spread by chance, ranges and p."""
    random = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c"], [50, 150, 300])
    values = random.gamma(0.7, 100, 500) * np.where(labels == "a", 1.25, 1.0)

    def lifts(of: Any) -> Any:
        return np.array([values[of == name].mean() for name in "abc"]) / values.mean()

    permuted = np.array([lifts(random.permutation(labels)) for _ in range(2000)])
    shares = np.array([0.1, 0.3, 0.6])
    spreads = np.abs(permuted - 1) @ shares
    own = np.abs(lifts(labels) - 1) @ shares
    found = worth(
        {n: Values(int((labels == n).sum()), values[labels == n].mean(), values[labels == n].var()) for n in "abc"}, 7
    )

    assert found is not None
    assert found.spread.value == pytest.approx(own)
    assert found.spread.baseline == pytest.approx(spreads.mean(), rel=0.05)
    assert found.p == pytest.approx((spreads >= own).mean(), abs=0.03)
    assert found.chance["a"] == pytest.approx(np.percentile(permuted[:, 0], [2.5, 97.5]), rel=0.07)


def blobs(spark: SparkSession, distance: float, customers: int = 300) -> DataFrame:
    """Three groups on a line in the plane, so far apart in deviations; `value` rises with the group."""
    random = np.random.default_rng(1)
    group = np.arange(customers) % 3
    points = random.normal(size=(customers, 2)) + distance * group[:, np.newaxis]
    rows = pd.DataFrame(points, columns=["visits", "spent"]).assign(
        customer=[f"c{number}" for number in range(customers)], value=random.exponential(1 + group)
    )
    return spark.createDataFrame(rows)


@pytest.fixture(scope="module")
def planted(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> StageResult:
    """Three groups; c5 was not there before, and two new customers lie where the next group is."""
    customers = blobs(spark, 6.0).withColumn("age", F.lit(40.0))
    further = {name: F.col(name) + 6.0 for name in ("visits", "spent")}
    frames = {
        "customers": customers,
        "customers_before": customers.where("customer <> 'c5'"),
        "new_customers": customers.where("customer IN ('c0', 'c1')").withColumns(
            {**further, "customer": F.concat(F.lit("new "), "customer")}
        ),
    }
    context = stage_context(spark, tmp_path_factory.mktemp("planted"))
    return kept(run(frames, segment_task("kmeans", **QUICK), context))


def test_planted_groups_are_found(planted: StageResult) -> None:
    assigned = planted.tables["assignments"].where("NOT is_new").toPandas()
    group = assigned["customer"].str[1:].astype(int) % 3

    assert adjusted_rand_score(group, assigned["segment"]) > 0.95
    assert verdict(planted) == ("gain", ["values_differ", "stable", "structure"])


def test_others_are_assigned_and_the_earlier_moment_is_compared(planted: StageResult) -> None:
    segment = {row["customer"]: row["segment"] for row in planted.tables["assignments"].collect()}
    rows = planted.tables["transitions"].collect()
    moved = {(row["segment_before"], row["segment"]): row["customers"] for row in rows}

    assert (segment["new c0"], segment["new c1"]) == (segment["c1"], segment["c2"])
    assert moved.pop(("", segment["c5"])) == 1
    assert sum(moved.values()) == 299
    assert all(before == now for before, now in moved)


def test_profiles_compare_a_segment_with_all(planted: StageResult) -> None:
    profiles = planted.tables["profiles"].toPandas()
    age = profiles[profiles["property"] == "age"]

    assert age["mean"].tolist() == [40.0, 40.0, 40.0]
    assert age["difference"].isna().all()
    assert sorted(profiles.loc[profiles["property"] == "visits", "difference"].round(1)) == [-1.2, 0.0, 1.2]
    assert [(finding.code, finding.subject) for finding in planted.findings] == [("constant_feature", "age")]


def test_the_page_says_how_the_number_was_chosen(planted: StageResult) -> None:
    page = page_of(KIND, segment_task("kmeans", **QUICK), planted)

    assert "Chosen: 3" in page
    assert "visits much higher" in page


@pytest.mark.long
@pytest.mark.parametrize("method", ["bisecting_kmeans", "gaussian_mixture"])
def test_the_other_methods_find_them_too(answer: Answer, spark: SparkSession, method: str) -> None:
    result = answer({"customers": blobs(spark, 6.0)}, method, **QUICK)

    assigned = result.tables["assignments"].toPandas()
    assert adjusted_rand_score(assigned["customer"].str[1:].astype(int) % 3, assigned["segment"]) > 0.95
    assert verdict(result)[0] == "gain"


@pytest.mark.long
def test_noise_has_no_segments(answer: Answer, spark: SparkSession) -> None:
    result = answer({"customers": blobs(spark, 0.0).drop("value")}, "kmeans", **QUICK)

    assert verdict(result)[0] == "no_gain"


@pytest.mark.long
def test_the_same_customers_give_the_same_segments_on_every_layout(answer: Answer, spark: SparkSession) -> None:
    customers = blobs(spark, 2.0)

    answers = [
        answer({"customers": customers.repartition(parts)}, "kmeans", **QUICK).tables["assignments"].toPandas()
        for parts in (1, 2, 4)
    ]

    ordered = [one.sort_values("customer").reset_index(drop=True) for one in answers]
    pd.testing.assert_frame_equal(ordered[0], ordered[1])
    pd.testing.assert_frame_equal(ordered[0], ordered[2])


CUSTOMERS = "customer string, visits double, spent double"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "none of 0 customers has all features"),
        ([("a", 1.0, 2.0)], "all 2 features are the same"),
        ([("a", 1.0, 2.0), ("a", 2.0, 1.0)], "2 rows for 1 customers"),
        (
            [("a", None, 2.0), ("b", float("nan"), 1.0), ("c", float("inf"), 1.0)],
            "none of 3 customers has all features",
        ),
        ([(f"c{n}", n % 2.0, 1.0) for n in range(30)], "only 2 distinct customers by features"),
    ],
)
def test_customers_who_cannot_be_clustered(answer: Answer, spark: SparkSession, rows: list[Any], said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        answer({"customers": spark.createDataFrame(rows, CUSTOMERS)}, "kmeans", **QUICK)


def test_features_that_are_not_there(answer: Answer, spark: SparkSession) -> None:
    customers = blobs(spark, 1.0)
    with pytest.raises(ConfigurationError, match="no numeric column 'age'"):
        answer({"customers": customers}, "kmeans", clusters={"features": ["age"]})
    with pytest.raises(ConfigurationError, match="no column other than the customer"):
        answer({"customers": customers.select("customer", "value")}, "kmeans")
    with pytest.raises(ConfigurationError, match="lacks the feature 'spent'"):
        answer({"customers": customers, "new_customers": customers.drop("spent")}, "kmeans", **QUICK)


def test_no_purchase_is_left(answer: Answer, spark: SparkSession) -> None:
    rows = [("a", datetime(2011, 1, 1, tzinfo=UTC), float("nan"), "1")]

    with pytest.raises(RefusedError, match="no purchases with an amount are left"):
        answer({"purchases": spark.createDataFrame(rows, PURCHASES)})


def test_settings_that_do_not_go_together() -> None:
    with pytest.raises(ConfigurationError, match="the default segments need five levels"):
        segment_task("rfm", rfm={"levels": 4})
    with pytest.raises(ConfigurationError, match="one of the two"):
        segment_task("rfm", frames={"customers": {}, "purchases": {}})
    with pytest.raises(ConfigurationError, match="'x' is not among features"):
        segment_task("kmeans", clusters={"features": ["y"], "log1p": ["x"]})


@pytest.mark.long
def test_marketing_campaign_by_number_of_segments(answer: Answer, spark: SparkSession, shared_data: Path) -> None:
    file = pd.read_csv(shared_data / "customer_personality" / "marketing_campaign.csv", sep="\t")
    file.columns = file.columns.str.lower()
    spent = [name for name in file.columns if name.startswith("mnt")]
    customers = spark.createDataFrame(file[["id", *spent]].rename(columns={"id": "customer"}).astype({"customer": str}))

    result = answer({"customers": customers}, "kmeans", seed=0, clusters={"log1p": spent, "starts": 20})

    # Eight segments have several optima of nearly the same inertia: the figure is that of this seed and these starts.
    numbers = range(2, 9)
    silhouettes = [measure(result, "silhouette", f"k={k}").value for k in numbers]
    stabilities = [measure(result, "stability", f"k={k}").value for k in numbers]
    assert silhouettes == pytest.approx([0.4310, 0.3245, 0.2885, 0.2511, 0.2519, 0.2634, 0.2417], abs=0.01)
    assert stabilities == pytest.approx([0.985, 0.968, 0.954, 0.932, 0.892, 0.855, 0.762], abs=0.03)
    assert measure(result, "silhouette").value == pytest.approx(0.4310, abs=0.01)
