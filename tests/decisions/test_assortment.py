"""The kind `assortment`: purchases in, the products to keep out."""

from __future__ import annotations

import itertools
import math
import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from tests.bench import stage_context
from tests.conftest import PROJECT
from tests.pages import page_of

from otklik.decisions.assortment.choice import Needs, by_value, greedy, kept_share, lost_without, substitutes
from otklik.decisions.assortment.kind import KIND, PURCHASES, AssortmentTask
from otklik.decisions.assortment.method import run
from otklik.decisions.assortment.stock import measured
from otklik.errors import ConfigurationError, RefusedError
from otklik.features.frames import FrameInput, read_frame
from otklik.kind import Measure, StageResult
from otklik.project_files import find_project
from otklik.session import with_property
from otklik.settings import load, validate
from otklik.steps import offline
from otklik.world import trials
from otklik.world.draws import Draws

TASK = {
    "name": "shelf",
    "kind": "assortment",
    "title": {"en": "Shelf", "ru": "Полка"},
    "question": {"en": "Which products?", "ru": "Какие товары?"},
    "inputs": {"purchases": "silver.purchases"},
    "places": 4,
    "test_days": 30,
    "transfer": 0.6,
}
AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
ONE_POOL = np.zeros(20, dtype=np.int64)


def task_with(**settings: Any) -> AssortmentTask:
    return validate(AssortmentTask, {**TASK, **settings}, "test")


def answer(purchases: DataFrame, folder: Path, stock: DataFrame | None = None, **settings: Any) -> StageResult:
    frames = {"purchases": purchases} | ({} if stock is None else {"out_of_stock": stock})
    return run(frames, task_with(**settings), stage_context(purchases.sparkSession, folder, AS_OF))


def said(result: StageResult) -> tuple[str, str]:
    assert result.verdict is not None
    return result.verdict.verdict, result.verdict.reasons[0].code


def measure(result: StageResult, name: str, subject: str = "", split: str = "later") -> Measure:
    return next(one for one in result.measures if (one.measure, one.subject, one.split) == (name, subject, split))


def value(result: StageResult, name: str, subject: str = "", split: str = "later") -> float:
    found = measure(result, name, subject, split).value
    assert found is not None
    return found


# --- the choice


def needs_of(rows: list[tuple[int, int, float]], products: int) -> Needs:
    """Rows of need, product and value."""
    need, product, worth = (np.array(column) for column in zip(*rows, strict=True))
    return Needs.of(need, product, worth, np.bincount(product, worth, products).astype(float))


def at_random(draw: np.random.Generator, products: int = 9, needs: int = 40) -> Needs:
    rows = [
        (need, int(product), float(draw.exponential()))
        for need in range(needs)
        for product in draw.choice(products, draw.integers(1, 5), replace=False)
    ]
    return needs_of(rows, products)


def chosen(needs: Needs, transfer: float, places: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return greedy(needs, transfer, ONE_POOL[: len(needs.own)], np.array([places])) > 0


def test_the_greedy_set_is_nearly_the_best_of_all() -> None:
    draw = np.random.default_rng(1)
    ratios = []
    for transfer in np.linspace(0, 1, 25):
        needs = at_random(draw)
        best = max(
            kept_share(needs, transfer, np.isin(np.arange(9), some)) for some in itertools.combinations(range(9), 3)
        )
        ratios.append(kept_share(needs, transfer, chosen(needs, transfer, 3)) / best)

    assert min(ratios) >= 1 - 1 / math.e
    assert np.mean(ratios) > 0.99
    # Without transfer it is the list of best sellers, and that is the best one.
    assert ratios[0] == pytest.approx(1)


def test_where_the_greedy_choice_fails_it_keeps_what_theory_says() -> None:
    """Three pairs {u, v} and the product that all u buy: the pairs reach all six, the greedy choice five.

    The family of instances of https://cs.stackexchange.com/questions/70101.
    """
    rows = [(0, 0), (1, 1), (2, 2), (3, 0), (4, 1), (5, 2), (0, 3), (1, 3), (2, 3)]
    bought = pd.Series([need for need, _ in rows]).value_counts()
    needs = needs_of([(need, product, 1 / bought[need]) for need, product in rows], 4)
    needs = Needs(needs.values, np.full(4, 0.25), needs.scale)

    assert kept_share(needs, 1, np.array([True, True, True, False])) == pytest.approx(1)
    assert kept_share(needs, 1, chosen(needs, 1, 3)) >= 1 - 1 / math.e


def test_a_published_example_of_turf_is_met() -> None:
    """An ice-cream cart with two places: vanilla and chocolate sell most and reach 85 %, vanilla and pistachio 95 %.

    https://trcmarketresearch.com/whitepaper/turf-new-methods-for-implementation/. Everybody is worth the same,
    whatever he or she would buy, so with transfer 1 what is kept is the reach.
    """
    vanilla, chocolate, pistachio = range(3)
    likes = [
        ((vanilla,), 50),
        ((vanilla, chocolate), 25),
        ((vanilla, pistachio), 5),
        ((chocolate,), 5),
        ((pistachio,), 15),
    ]
    people = [some for some, count in likes for _ in range(count)]
    needs = needs_of([(who, one, 1 / len(some)) for who, some in enumerate(people) for one in some], 3)

    popular = np.array([True, True, False])
    assert kept_share(needs, 1, popular) == pytest.approx(0.85)
    assert chosen(needs, 1, 2).tolist() == [True, False, True]
    assert kept_share(needs, 1, chosen(needs, 1, 2)) == pytest.approx(0.95)


def test_what_would_be_lost_is_what_the_set_keeps_less() -> None:
    draw = np.random.default_rng(5)
    needs, transfer = at_random(draw), 0.4
    kept = chosen(needs, transfer, 4)
    whole = kept_share(needs, transfer, kept)

    lost = lost_without(needs, transfer, kept)

    for product in range(9):
        other = kept.copy()
        other[product] = not other[product]
        assert lost[product] == pytest.approx(abs(kept_share(needs, transfer, other) - whole))


def test_the_nearest_substitute_is_what_most_of_its_buyers_buy() -> None:
    needs = needs_of([(0, 0, 5.0), (0, 1, 1.0), (1, 0, 3.0), (1, 2, 9.0), (2, 3, 1.0)], 4)

    nearest, share = substitutes(needs, np.array([True, True, True, False]))

    assert nearest.tolist() == [1, 0, 0, -1]
    assert share.tolist() == pytest.approx([5 / 8, 1, 1, 0])
    assert needs.portable().tolist() == [1, 1, 1, 0]


def test_products_compete_within_their_pool_and_equal_ones_go_by_name() -> None:
    own, pool = np.array([1.0, 3.0, 3.0, 2.0, 2.0]), np.array([0, 0, 0, 1, 1])
    needs = needs_of([(product, product, float(own[product])) for product in range(5)], 5)

    assert by_value(own, pool).tolist() == [3, 1, 2, 1, 2]
    assert greedy(needs, 0.5, pool, np.array([2, 1])).tolist() == [0, 1, 2, 1, 0]
    # One customer buys all: what the first has met adds nothing any more, and the greater ones come first all the same.
    everything = needs_of([(0, product, float(own[product])) for product in range(5)], 5)
    assert greedy(everything, 1, ONE_POOL[:5], np.array([5])).tolist() == [5, 1, 2, 3, 4]


# --- the whole


def purchases_of(spark: SparkSession, windows: int = 3, buyers: int = 200) -> DataFrame:
    """Some buy four kinds of tea, each for 10; others one coffee for 6, others one juice for 5; each month the same."""
    days = [AS_OF - timedelta(days=30 * window + 3) for window in range(windows)]
    rows = [
        (f"{product} lover {number}" if product != "tea" else f"tea lover {number}", name, day, worth, category)
        for day in days
        for number in range(buyers)
        for product, names, worth, category in (
            ("tea", ["tea a", "tea b", "tea c", "tea d"], 10.0, "tea"),
            ("coffee", ["coffee"], 6.0, "coffee"),
            ("juice", ["juice"], 5.0, "juice"),
        )
        for name in names
    ]
    columns = ["customer", "product", "moment", "value", "category"]
    return spark.createDataFrame(pd.DataFrame(rows, columns=columns))


@pytest.fixture(scope="module")
def planted(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[DataFrame, StageResult]:
    purchases = purchases_of(spark).persist()
    return purchases, answer(purchases, tmp_path_factory.mktemp("planted"))


def test_a_set_that_covers_all_tastes_keeps_more_than_the_best_sellers(
    planted: tuple[DataFrame, StageResult],
) -> None:
    """All teas are 8,000 of 10,200 a month. One tea less costs 800, as its buyers take another one for 1,200."""
    result = planted[1]
    products = {row["product"]: row for row in result.tables["products"].collect()}

    assert said(result) == ("gain", "keeps_more")
    assert {name for name, row in products.items() if row.is_kept} == {"tea a", "coffee", "juice", "tea b"}
    assert {name for name, row in products.items() if row.is_best_seller} == {"tea a", "tea b", "tea c", "tea d"}
    assert value(result, "kept", "chosen") == pytest.approx((0.4 * 3100 + 0.6 * 5100) / 5100)
    assert value(result, "kept", "best_sellers") == pytest.approx(4000 / 5100)
    assert value(result, "gain") == pytest.approx(300 / 5100)
    assert value(result, "reach", "chosen") == 1
    assert value(result, "reach", "best_sellers") == pytest.approx(1 / 3)
    # Of 5,100, own value is 900 less, needs met are 1,100 more.
    assert value(result, "break_even") == pytest.approx(900 / 2000)
    assert products["coffee"].lost_without == pytest.approx(2400)
    assert products["tea c"].lost_without == pytest.approx(0.4 * 4000)
    assert (products["tea c"].substitute, products["coffee"].substitute) == ("tea a", None)
    curve = {(row.split, row.method, row.places): row.kept for row in result.tables["curve"].collect()}
    assert curve["later", "chosen", 6] == curve["earlier", "random", 6] == pytest.approx(1)
    assert curve["later", "best_sellers", 4] == value(result, "kept", "best_sellers")


def test_the_page_says_what_the_set_keeps(planted: tuple[DataFrame, StageResult]) -> None:
    page = page_of(KIND, task_with(), planted[1], "ru")

    assert "набор из 4 товаров сохраняет 843" in page and "coffee" in page


def stock_of(spark: SparkSession, moves: float) -> tuple[DataFrame, DataFrame]:
    """Purchases of 280 days, and the days without milk A; its buyers then take milk B with probability `moves`."""
    draw = np.random.default_rng(11)
    days, customers = 280, 40
    out = (draw.random(days) < 0.2)[:, np.newaxis]
    busy = draw.uniform(0.5, 1.3, days)[:, np.newaxis]
    rates = {"a": 0.3, "b": 0.3, "bread": 0.5}
    wants = {name: draw.random((days, customers)) < rate * busy for name, rate in rates.items()}
    turned = wants["a"] & out & (draw.random((days, customers)) < moves)
    bought = {"a": wants["a"] & ~out, "b": wants["b"].astype(int) + turned, "bread": wants["bread"]}
    rows = [
        (f"c{customer}", name, 10.0 * taken[day, customer], "bread" if name == "bread" else "milk", int(day))
        for name, taken in bought.items()
        for day, customer in zip(*np.nonzero(taken), strict=True)
    ]
    table = spark.createDataFrame(pd.DataFrame(rows, columns=["customer", "product", "value", "category", "n"]))
    day = "date_add(DATE '2025-01-01', CAST(n AS INT))"
    missing = spark.createDataFrame(pd.DataFrame({"product": "a", "n": np.flatnonzero(out)}))
    purchases = table.selectExpr("*", f"{day} AS day", f"CAST({day} AS TIMESTAMP) AS moment", "'(all)' AS `group`")
    return purchases, missing.selectExpr("product", f"{day} AS day")


@pytest.mark.parametrize("moves", [0.6, pytest.param(0.0, marks=pytest.mark.long)])
def test_what_moves_to_others_is_measured_where_a_product_was_out_of_stock(spark: SparkSession, moves: float) -> None:
    purchases, missing = stock_of(spark, moves)
    products = purchases.selectExpr(
        "group", "product", "category", "CAST(NULL AS STRING) AS alone", "if(category = 'milk', 1D, 0D) AS portable"
    ).distinct()

    found = measured(purchases.select("group", "product", "day", "value"), missing, products, cut=AS_OF)

    assert found.is_known
    assert found.share.low < moves < found.share.high
    assert found.share.high - found.share.low < 0.4


@pytest.mark.long
def test_in_the_world_nothing_moves_to_others(spark: SparkSession) -> None:
    """What is not on a shelf of the world is not sold, and what is beside it not sold more."""
    sold = trials.stock_days(spark, Draws(7), ()).selectExpr(
        "store AS `group`", "product", "day", "CAST(sold AS DOUBLE) AS value", "opening"
    )
    shelf = sold.selectExpr("group", "product", "'all' AS category", "CAST(NULL AS STRING) AS alone", "1D AS portable")

    found = measured(sold.drop("opening"), sold.where("opening = 0"), shelf.distinct(), cut=AS_OF)

    assert found.is_known and found.days > 400
    assert found.share.low < 0 < found.share.high


@pytest.mark.long
def test_a_measured_transfer_is_used(spark: SparkSession, tmp_path: Path) -> None:
    purchases, missing = stock_of(spark, 0.6)
    settings: dict[str, Any] = {"places": 2, "test_days": 100, "transfer": 0.1, "minimum_customers": 20}

    result = answer(purchases.drop("group", "day"), tmp_path, missing, **settings)

    transfer = measure(result, "transfer", split="earlier")
    assert (transfer.low or 1) < 0.6 < (transfer.high or 0)
    assert transfer.baseline == 0.1
    assert {row.source: row.is_used for row in result.tables["transfer"].collect()} == {
        "declared": False, "measured": True,
    }  # fmt: skip
    assert "went to other products that its buyers also buy" in page_of(KIND, task_with(**settings), result)


@pytest.mark.long
def test_an_unclear_transfer_is_not_used(
    planted: tuple[DataFrame, StageResult], spark: SparkSession, tmp_path: Path
) -> None:
    """Teas are bought on one day of a month: nothing can be compared."""
    stock = spark.createDataFrame([("tea a", date(2025, 11, 1))], "product STRING, day DATE")

    result = answer(planted[0], tmp_path, stock)

    assert [finding.code for finding in result.findings] == ["transfer_unclear"]
    assert value(result, "transfer", split="earlier") == 0.6


@pytest.mark.long
def test_where_each_customer_buys_one_product_the_best_sellers_are_best(spark: SparkSession, tmp_path: Path) -> None:
    alone = purchases_of(spark).selectExpr(
        "concat(customer, product) AS customer", "product", "moment", "value", "category"
    )

    assert said(answer(alone, tmp_path)) == ("no_gain", "same_set")


@pytest.mark.long
def test_a_set_that_held_only_earlier_is_no_gain(planted: tuple[DataFrame, StageResult], tmp_path: Path) -> None:
    """In the last month nobody wants coffee and juice any more."""
    faded = planted[0].where("moment < '2025-12-01' OR category = 'tea'")

    result = answer(faded, tmp_path, minimum_customers=50)

    assert said(result) == ("no_gain", "not_better")
    # What is not shown to be better is no advice.
    rows = result.tables["products"].collect()
    assert all(row.is_kept == row.is_best_seller for row in rows)
    assert any(row.is_chosen != row.is_best_seller for row in rows)
    # The best sellers keep more even where everything moves.
    assert measure(result, "break_even").value is None


@pytest.mark.long
def test_little_or_odd_data_gives_a_verdict_or_one_line(
    planted: tuple[DataFrame, StageResult], spark: SparkSession, tmp_path: Path
) -> None:
    purchases = planted[0]

    assert said(answer(purchases.where("customer = 'tea lover 1'"), tmp_path)) == ("too_little_data", "few_earlier")
    assert said(answer(purchases.where("moment < '2025-12-01'"), tmp_path)) == ("too_little_data", "few_later")
    assert said(answer(purchases.where("moment > '2025-12-05'"), tmp_path)) == ("too_little_data", "few_earlier")
    assert said(answer(purchases, tmp_path, places=6)) == ("no_gain", "nothing_to_choose")
    assert said(answer(purchases.where("product = 'coffee'"), tmp_path, minimum_customers=50)) == (
        "no_gain", "nothing_to_choose",
    )  # fmt: skip
    with pytest.raises(RefusedError, match="more than 10 products"):
        answer(purchases.withColumn("group", purchases["customer"]), tmp_path, maximum_products=10)
    with pytest.raises(ConfigurationError, match="'tea' has 0 places"):
        task_with(category_places={"tea": 0})


@pytest.mark.long
def test_what_came_back_was_not_bought_and_new_products_do_not_count(
    planted: tuple[DataFrame, StageResult], spark: SparkSession, tmp_path: Path
) -> None:
    purchases, whole = planted
    back = purchases.where("product = 'tea d'").selectExpr(
        "customer", "product", "moment", "-value AS value", "category"
    )
    new = purchases.where("product = 'coffee' AND moment > '2025-12-20'").selectExpr(
        "customer", "'cocoa' AS product", "moment", "value", "category"
    )

    result = answer(purchases.unionByName(back).unionByName(new), tmp_path)

    assert "tea d" not in {row["product"] for row in result.tables["products"].collect()}
    (finding,) = result.findings
    assert (finding.code, finding.parameters["n"]) == ("new_products", 1)
    assert value(result, "reach", "chosen") == value(whole, "reach", "chosen")


@pytest.mark.long
def test_the_answer_does_not_depend_on_the_layout_and_is_that_of_pandas(spark: SparkSession, tmp_path: Path) -> None:
    """Stores, a category with places of its own, products without one, returns; recomputed row by row."""
    draw = np.random.default_rng(3)
    count = 6000
    rows = pd.DataFrame(
        {
            "customer": draw.integers(0, 300, count).astype(str),
            "product": (draw.zipf(1.6, count) % 25).astype(str),
            "moment": [AS_OF - timedelta(hours=float(hours)) for hours in draw.uniform(0, 120 * 24, count)],
            "value": np.round(draw.normal(8, 6, count), 2),
            "group": draw.choice(["north", "south"], count),
        }
    )
    rows["category"] = [None if int(name) % 5 == 0 else f"c{int(name) % 4}" for name in rows["product"]]
    settings: dict[str, Any] = {"places": 5, "category_places": {"c1": 2}, "minimum_customers": 50}
    schema = "customer STRING, product STRING, moment TIMESTAMP, value DOUBLE, `group` STRING, category STRING"
    frame = spark.createDataFrame(rows, schema)

    result = answer(frame.repartition(1), tmp_path, **settings)

    for partitions in (2, 4):
        again = answer(frame.repartition(partitions), tmp_path, **settings)
        assert [one.value for one in again.measures] == pytest.approx(
            [one.value for one in result.measures], nan_ok=True
        )
        kept = ["group", "product", "is_kept", "is_chosen", "is_best_seller", "place", "substitute"]
        assert again.tables["products"].select(kept).exceptAll(result.tables["products"].select(kept)).isEmpty()
    products = result.tables["products"].toPandas()
    asked: dict[str, Any] = {"after": AS_OF - timedelta(days=30), "transfer": 0.6}
    assert products.query("category == 'c1'").groupby("group")["is_kept"].sum().max() == 2
    assert products.query("category != 'c1'").groupby("group")["is_kept"].sum().tolist() == [5, 5]
    assert value(result, "kept", "chosen") == pytest.approx(kept_in_pandas(rows, products, "is_chosen", **asked))
    assert value(result, "kept", "best_sellers") == pytest.approx(
        kept_in_pandas(rows, products, "is_best_seller", **asked)
    )


def kept_in_pandas(rows: pd.DataFrame, products: pd.DataFrame, rule: str, *, after: datetime, transfer: float) -> float:
    """What the set of a rule keeps of what was bought after a moment."""
    later = rows[rows["moment"] > after]
    bought = later.groupby(["customer", "group", "product"], as_index=False)["value"].sum().query("value > 0")
    bought = bought.merge(products[["group", "product", "category", rule]], on=["group", "product"])
    bought["need"] = bought["category"].where(bought["category"].notna(), "only " + bought["product"])
    bought["stays"] = bought["value"].where(bought[rule], 0.0)
    needs = bought.groupby(["customer", "group", "need"]).agg({"value": "sum", "stays": "sum", rule: "any"})
    moves = transfer * (needs["value"] - needs["stays"]).where(needs[rule], 0.0)
    return float((needs["stays"] + moves).sum() / needs["value"].sum())


@pytest.mark.long
def test_the_shipped_task_on_online_retail(spark: SparkSession, shared_data: Path, tmp_path: Path) -> None:
    """Figures that pandas and scipy give for the same rows."""
    lines = spark.read.csv(str(shared_data / "online_retail" / "online_retail.csv.gz"), header=True).selectExpr(
        "InvoiceNo AS invoice_no", "StockCode AS stock_code", "Description AS description",
        "CAST(Quantity AS int) AS quantity", "CAST(InvoiceDate AS timestamp) AS invoiced_at",
        "CAST(UnitPrice AS double) AS unit_price", "CustomerID AS customer_id",
    )  # fmt: skip
    shipped = load(AssortmentTask, PROJECT / "conf" / "tasks" / "online_retail_assortment.toml")
    end = datetime(2011, 12, 9, 12, 50, tzinfo=UTC)
    # Half a million rows want Spark's own code, which the session of few rows does without.
    with (
        with_property(spark, "spark.sql.codegen.wholeStage", "true"),
        with_property(spark, "spark.sql.codegen.factoryMode", "FALLBACK"),
    ):
        inputs = {"lines": FrameInput(lines)}
        purchases = read_frame(spark, PURCHASES, shipped.frames["purchases"], inputs, None, end).persist()
        result = run({"purchases": purchases}, shipped, stage_context(spark, tmp_path, end))

    products = result.tables["products"].toPandas()
    # The session is UTC; pandas gets moments without a zone.
    rows = purchases.toPandas().assign(group="(all)")
    asked: dict[str, Any] = {"after": (end - timedelta(days=70)).replace(tzinfo=None), "transfer": 0.45}
    assert value(result, "kept", "chosen") == pytest.approx(kept_in_pandas(rows, products, "is_chosen", **asked))
    assert value(result, "kept", "best_sellers") == pytest.approx(
        kept_in_pandas(rows, products, "is_best_seller", **asked)
    )
    assert (products["is_kept"].sum(), measure(result, "gain").rows) == (600, 2553)
    assert value(result, "kept", "chosen") == pytest.approx(0.7280, abs=5e-4)
    assert value(result, "kept", "best_sellers") == pytest.approx(0.7185, abs=5e-4)
    assert value(result, "break_even") == pytest.approx(0.116, abs=5e-3)
    # Surely more, and too little to be worth a change.
    assert (measure(result, "gain").low or 0) > 0
    assert said(result) == ("no_gain", "little_more")


def test_a_first_task_over_receipts_finds_its_columns() -> None:
    text = offline.draft(["receipts"], "assortment", find_project(None))

    frame = tomllib.loads(text)["frames"]["purchases"]
    assert frame["columns"] == {
        "customer": "customer_id", "product": "product_id", "moment": "bought_at", "value": "amount",
        "group": "store_id",
    }  # fmt: skip
