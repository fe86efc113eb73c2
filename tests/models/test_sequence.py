"""The network over the order of events: what it reads, says and, where torch is installed, learns."""

from __future__ import annotations

import json
from math import exp, tanh
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, DamagedError
from otklik.models import sequence
from otklik.models.evaluate import auc
from otklik.models.portable import SequenceModel, Slots, from_dict, top_reasons
from otklik.models.prepare import (
    Feature,
    Preparation,
    Rules,
    events_of,
    features_of,
    fit_preparation,
    slot_array,
)
from otklik.models.sequence import FittedSequence, SequenceNetwork, log_odds
from otklik.models.zoo import settings_to_try, with_prediction
from otklik.task import SequenceSettings

EVERYTHING = Rules(0.0, 50, 1.0, (), frozenset(), frozenset(), {}, frozenset(), "visits", 3)
SETTING = {"hidden": 8, "learning_rate": 0.02, "epochs": 30, "last": 5}


def drawn_weights(hidden: int, events: int, numbers: int) -> dict[str, Any]:
    draw = np.random.default_rng(3)
    shapes: dict[str, Any] = {
        "event": (events + 2, 3 * hidden), "recurrent": (hidden, 3 * hidden), "recurrent_bias": 3 * hidden,
        "readout": hidden, "line": numbers, "mean": numbers, "bias": (), "mean_of_events": (),
    }  # fmt: skip
    return {**{name: np.array(draw.normal(size=shape)) for name, shape in shapes.items()}, "scale": np.full(numbers, 2)}


def test_events_become_numbers_in_their_order_and_only_the_network_sees_them(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [("1", 1.0, ["b", "a", "b", "rare"]), ("2", 2.0, None), ("3", 3.0, []), ("4", 4.0, ["b", None, "a"])],
        "key STRING, calls DOUBLE, visits ARRAY<STRING>",
    ).withColumn("as_of", F.lit(0).cast("timestamp"))
    features = features_of(rows, {"calls": False, "visits": False})
    fitted = fit_preparation(rows.where("key <> '4'"), features, EVERYTHING)
    again = Preparation.from_dict(json.loads(json.dumps(fitted.to_dict())))
    slots = again.only(with_leaks=False, in_order=True)

    assert features == (Feature("calls", "number", False),)
    assert [slot.name for slot in again.only(with_leaks=False)] == ["calls"]
    assert [slot.name for slot in slots] == ["calls", "visits[-3]", "visits[-2]", "visits[-1]"]
    found = rows.select("key", slot_array(slots).alias("numbers")).orderBy("key").collect()
    # b is the commonest, then a, then rare; of the fourth row, which training did not see, an event is missing.
    assert [row.numbers for row in found] == [[1, 3, 2, 4], [2, 0, 0, 0], [3, 0, 0, 0], [4, 2, 0, 3]]
    unseen = spark.sql("SELECT '5' AS key, 5D AS calls, array('new', 'a') AS visits").select(slot_array(slots))
    assert list(unseen.collect()[0][0]) == [5, 0, 1, 3]


def test_an_array_that_cannot_be_read_is_one_clear_line(spark: SparkSession) -> None:
    rows = spark.sql("SELECT 1 AS key, 2 AS calls, array('a') AS visits, array('b') AS answers")
    known_after = {"calls": False, "visits": False, "answers": True}

    found = events_of(rows, known_after, "visits")
    assert [(each.kind, each.feature, each.action) for each in found] == [
        ("events_in_order", "visits", "kept"),
        ("events_in_order", "answers", "left out"),
    ]
    for wanted, fault in (("calls", "calls has type int"), ("answers", "answers is known only after the decision")):
        with pytest.raises(ConfigurationError, match=fault):
            events_of(rows, known_after, wanted)


def test_the_network_is_a_gated_recurrent_unit_beside_a_line() -> None:
    """By hand, for a state of one number (Cho et al. 2014, equations 5 to 8, with the reset behind the product)."""
    weights = drawn_weights(1, 2, 1)
    state = 0.0
    for token in (2, 3):
        given = weights["event"][token]
        own = state * weights["recurrent"][0] + weights["recurrent_bias"]
        reset, keep = (1 / (1 + exp(-given[i] - own[i])) for i in (0, 1))
        state = keep * state + (1 - keep) * tanh(given[2] + reset * own[2])
    line = weights["line"][0] * (5.0 - weights["mean"][0]) / 2

    found = log_odds(weights, np.array([[5.0, 0, 0, 2, 3], [5.0, 0, 0, 3, 2], [5.0, 1, 1, 1, 1], [5.0, 1, 9, 9, 1]]))

    assert found[0] == pytest.approx(weights["bias"] + line + weights["readout"][0] * state)
    assert found[1] != pytest.approx(found[0])
    # What no row that was learnt from had is unknown.
    assert found[2] == found[3]


def test_what_is_saved_says_the_same_and_gives_reasons_that_sum_to_it(spark: SparkSession) -> None:
    weights = drawn_weights(4, 2, 2)
    model = SequenceModel(
        Slots(("age", "calls", "visits[-2]", "visits[-1]"), ("age", "calls", *["visits"] * 2)), weights
    )
    numbers = np.array([[1.0, 2.0, 2, 3], [0.0, 1.0, 0, 0], [3.0, 4.0, 0, 3]])
    rows = spark.createDataFrame([(row.tolist(),) for row in numbers], "numbers ARRAY<DOUBLE>").coalesce(1)

    again = from_dict(json.loads(json.dumps(model.to_dict())))
    said = with_prediction(
        rows.select(array_to_vector(F.col("numbers")).alias("features")),
        FittedSequence(weights, "features"),
        "sequence",
    ).toPandas()

    assert said["margin"].to_numpy() == pytest.approx(model.raw_score(numbers))
    assert again.probability(numbers) == pytest.approx(said["raw"].to_numpy(), abs=1e-12)
    base, added = again.contributions(numbers)
    assert base + added.sum(axis=1) == pytest.approx(model.raw_score(numbers))
    values = rows.selectExpr("1 AS age", "2 AS calls", "array('look', 'ask') AS visits").toPandas()
    reasons, _ = top_reasons(model.slots.columns, added, values, 3)
    assert {name: text for name, text, _ in reasons[0]} == {"age": "1", "calls": "2", "visits": "look → ask"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("readout", [1.0]), ("scale", [0.0, 1.0]), ("event", 1.0), ("bias", float("nan")), ("line", None)],
)
def test_weights_that_cannot_be_are_refused(name: str, value: Any) -> None:
    saved = SequenceModel(Slots(("a", "b", "e[-1]"), ("a", "b", "e")), drawn_weights(2, 2, 2)).to_dict()
    saved["weights"][name] = value

    with pytest.raises(DamagedError, match="the model is not readable"):
        from_dict(saved)


def test_each_value_is_a_setting() -> None:
    values = SequenceSettings(events="visits", hidden=[8, 16], epochs=5)

    assert settings_to_try("sequence", values) == tuple(
        {"hidden": hidden, "learning_rate": 0.01, "epochs": 5, "last": 50} for hidden in (8, 16)
    )


def table_of(rows: int, *, by_order: bool) -> pa.Table:
    """Events 2, 3 and 4 among others in any order; yes mostly where 2 comes before 3, or by chance."""
    draw = np.random.default_rng(5)
    events = draw.permuted(np.tile([2, 3, 4, 5, 5], (rows, 1)), axis=1)
    tells = (events == 2).argmax(axis=1) < (events == 3).argmax(axis=1) if by_order else draw.random(rows) < 0.5
    yes = np.where(draw.random(rows) < 0.1, ~tells, tells).astype(float)
    numbers = np.column_stack([draw.normal(size=(rows, 2)), events]).astype(np.float32)
    return pa.table(
        {"row_hash": draw.permutation(rows), "moment": np.arange(rows) // 10, "label": yes,
         "numbers": pa.array(numbers.tolist(), pa.list_(pa.float32()))}
    )  # fmt: skip


def said_of(found: bytes, table: pa.Table) -> float | None:
    weights = {name: np.asarray(values) for name, values in json.loads(found).items()}
    return auc(table["label"].to_numpy(), log_odds(weights, np.vstack(table["numbers"].to_pylist())))


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="torch is not installed: pip install 'otklik[deep]'")


@pytest.mark.long
@pytest.mark.usefixtures("torch")
def test_order_is_learnt_and_nothing_where_there_is_nothing() -> None:
    table, noise = table_of(1_200, by_order=True), table_of(1_200, by_order=False)
    found = sequence._learn(table[:1_000], SETTING, 7)

    assert said_of(found, table[1_000:]) > 0.85
    assert sequence._learn(table[:1_000], SETTING, 7) == found
    assert 0.4 < said_of(sequence._learn(noise[:1_000], SETTING, 7), noise[1_000:]) < 0.6
    # So few that none is held out.
    assert said_of(sequence._learn(table[:9], SETTING, 7), table[:9]) > 0.9


@pytest.mark.long
@pytest.mark.usefixtures("torch")
def test_the_same_rows_give_the_same_network_in_any_layout(spark: SparkSession) -> None:
    frame: DataFrame = spark.createDataFrame(table_of(300, by_order=True).to_pandas()).select(
        "row_hash",
        "label",
        F.timestamp_seconds("moment").alias("as_of"),
        array_to_vector(F.col("numbers")).alias("features"),
    )
    network = SequenceNetwork({**SETTING, "epochs": 3}, 7, "features")
    ours, again = (network.fit(rows).weights for rows in (frame.repartition(3, "row_hash"), frame.coalesce(1)))

    assert all((ours[name] == again[name]).all() for name in ours)
