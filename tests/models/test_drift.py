import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from otklik.errors import DamagedError
from otklik.models import drift
from otklik.models.drift import Bins, bins_of, counts_in, drift_of, psi, psi_of_chance
from otklik.models.prepare import MISSING, OTHER


def customers(spark: SparkSession, rows: list[tuple[object, object]]) -> DataFrame:
    keyed = [(f"k{i}", *row) for i, row in enumerate(rows)]
    return spark.createDataFrame(keyed, "key string, `последний заказ` double, city string")


def test_bins_are_deciles_and_commonest_levels(spark: SparkSession) -> None:
    cities = ["Almaty"] * 4 + ["Astana"] * 3 + ["Shymkent"] * 2 + [None]
    training = customers(spark, [(float(i), cities[i % 10]) for i in range(1, 102)])
    number, city = bins_of(training, ["последний заказ"], ["city"], ["key"], maximum_levels=2)
    assert number.edges == (11.0, 21.0, 31.0, 41.0, 51.0, 61.0, 71.0, 81.0, 91.0)
    assert city.names == ("Almaty", "Astana", OTHER, MISSING)
    counts = counts_in(training, [number, city])
    assert counts["последний заказ"] == [11, *[10] * 9, 0]
    assert counts["city"] == [41, 30, 20, 10]


def test_new_and_missing_values_have_a_place(spark: SparkSession) -> None:
    bins = [Bins("последний заказ", edges=(1.0, 2.0)), Bins("city", levels=("Almaty",))]
    rows = customers(spark, [(-9.0, "Almaty"), (1.0, "Karaganda"), (2.5, None), (None, None), (math.nan, None)])
    assert counts_in(rows, bins) == {"последний заказ": [2, 0, 1, 2], "city": [1, 1, 3]}


def test_a_constant_and_an_empty_column(spark: SparkSession) -> None:
    constant, empty = (
        bins_of(customers(spark, [(value, None)] * 3), ["последний заказ"], ["city"], ["key"]) for value in (5.0, None)
    )
    assert constant == [Bins("последний заказ", edges=(5.0,)), Bins("city", levels=())]
    assert empty == [Bins("последний заказ"), Bins("city", levels=())]


def test_deciles_of_many_rows_come_from_keys(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "_ROWS_FOR_DECILES", 500)
    training = customers(spark, [(float(i), None) for i in range(2_000)])
    (one_way,) = bins_of(training.repartition(1), ["последний заказ"], [], ["key"])
    (other_way,) = bins_of(training.repartition(3), ["последний заказ"], [], ["key"])
    assert one_way == other_way
    assert one_way.edges == pytest.approx([200.0 * i for i in range(1, 10)], abs=150)


def test_no_features_no_counts(spark: SparkSession) -> None:
    rows = customers(spark, [(1.0, "Almaty")])
    assert bins_of(rows, [], [], ["key"]) == []
    assert counts_in(rows, []) == {}


def test_psi_by_hand() -> None:
    # 19.5 / 40 against 9.5 / 40, and 20.5 / 40 against 30.5 / 40.
    assert psi([19, 20], [9, 30]) == pytest.approx(
        0.25 * math.log(19.5 / 9.5) - 0.25 * math.log(20.5 / 30.5), rel=1e-12
    )


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12), st.integers(1, 9))
def test_the_same_shares_have_not_moved(counts: list[int], times: int) -> None:
    found = psi(counts, counts)
    assert found is None if sum(counts) == 0 else found == 0
    many = [1_000 * count for count in counts]
    if sum(counts):
        assert psi(many, [times * count for count in many]) == pytest.approx(0, abs=1e-4)


def test_an_emptied_bin_is_finite_and_an_empty_side_is_unknown() -> None:
    assert 0.25 < (psi([100, 100], [200, 0]) or 0) < 5
    assert psi([5, 0], [0, 0]) is None
    with pytest.raises(ValueError, match=r"shorter|longer"):
        psi([1], [1, 2])


def test_what_moved_most_stands_first() -> None:
    expected = {"age": [50, 50], "city": [50, 50], "gone": [1, 1], "balance": [50, 50]}
    actual = {"city": [90, 10], "balance": [50, 50], "age": [50, 50]}
    found = drift_of(expected, actual, 0.2)
    assert found["feature"].tolist() == ["city", "age", "balance"]
    assert found["has_drifted"].tolist() == [True, False, False]


@pytest.mark.parametrize("rows", [30, 100, 1_000])
def test_few_rows_pass_any_limit_by_chance_and_seldom_what_chance_gives(rows: int) -> None:
    random = np.random.default_rng(7)
    trained = [1_000] * 10
    drawn = random.multinomial(rows, [0.1] * 10, size=2_000)
    indices = np.array([psi(trained, counts.tolist()) for counts in drawn])

    assert (indices > psi_of_chance(trained, drawn[0].tolist(), tried=1)).mean() < 0.02
    assert psi_of_chance(trained, drawn[0].tolist(), tried=30) > psi_of_chance(trained, drawn[0].tolist(), tried=1)
    if rows <= 30:
        assert (indices > 0.2).mean() > 0.5
    if rows == 30:
        found = drift_of({"age": trained}, {"age": drawn[int(np.argsort(indices)[-200])].tolist()}, 0.2)
        assert found["psi"].item() > 0.2
        assert found["has_drifted"].tolist() == [False]
    moved = [rows // 2, *[rows // 18] * 9]
    assert drift_of({"age": trained}, {"age": moved}, 0.2)["has_drifted"].tolist() == [True]


def test_of_one_bin_or_no_rows_chance_gives_nothing() -> None:
    assert psi_of_chance([5], [7], 1) == psi_of_chance([5, 5], [0, 0], 1) == 0


def test_bins_survive_json() -> None:
    for bins in (Bins("age", edges=(1.5, 2.0)), Bins("city", levels=("Алматы",)), Bins("empty", levels=())):
        assert Bins.from_dict(json.loads(json.dumps(bins.to_dict()))) == bins
    with pytest.raises(DamagedError):
        Bins.from_dict({"feature": "age"})
