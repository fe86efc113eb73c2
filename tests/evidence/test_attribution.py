"""The kind `attribution`: hand-worked journeys, published chains, and sums that come to all conversions."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from tests.bench import stage_context
from tests.evidence.conftest import pages_of

from otklik.errors import ConfigurationError, RefusedError
from otklik.evidence.attribution.chain import CONVERSION, NONE, START, removal_effects, shares
from otklik.evidence.attribution.kind import METHODS, AttributionTask
from otklik.evidence.attribution.method import run
from otklik.evidence.attribution.section import TEXTS, section
from otklik.settings import validate

TASK = {
    "name": "paths", "kind": "attribution", "title": {"en": "", "ru": ""}, "question": {"en": "", "ru": ""},
    "inputs": {"touches": "silver.touches"}, "minimum_conversions": 1, "window_days": 30.0, "half_life_days": 7.0,
}  # fmt: skip

#: Path → days and channels of its touches, day of its conversion.
JOURNEYS: dict[str, tuple[list[tuple[int, str]], int | None]] = {
    "two": ([(1, "ads"), (8, "mail")], 8),
    "again": ([(1, "mail"), (2, "mail"), (3, "ads")], 3),
    "none": ([(1, "ads")], None),
    "old": ([(1, "ads")], 60),
}


def a_task(**changes) -> AttributionTask:
    return validate(AttributionTask, {**TASK, **changes}, "test")


def day(number: int) -> datetime:
    return datetime(2026, 1, 1) + timedelta(days=number)


def shared_out(spark, tmp_path, task: AttributionTask, journeys=JOURNEYS) -> Any:
    touches = [(path, channel, day(when), 2.0) for path, (steps, _) in journeys.items() for when, channel in steps]
    ends = [(path, day(end), 10.0) for path, (_, end) in journeys.items() if end is not None]
    frames = {
        "touches": spark.createDataFrame(touches, "path string, channel string, moment timestamp, cost double"),
        "conversions": spark.createDataFrame(ends, "path string, moment timestamp, value double"),
    }
    return run(frames, task, stage_context(spark, tmp_path))


def test_each_rule_by_hand(spark, tmp_path) -> None:
    task = a_task(experiments={"mail": {"conversions": 0.2, "low": 0.1, "high": 0.3}})

    result = shared_out(spark, tmp_path, task)

    rows = result.tables["channels"].toPandas().fillna({"channel": "(none)"})
    given = rows.pivot_table(index="method", columns="channel", values="conversions").to_dict("index")
    assert given["last"] == pytest.approx({"ads": 1, "mail": 1, "(none)": 1})
    assert given["first"] == pytest.approx({"ads": 1, "mail": 1, "(none)": 1})
    assert given["linear"] == pytest.approx({"ads": 1 / 2 + 1 / 3, "mail": 1 / 2 + 2 / 3, "(none)": 1})
    # "two": 1 half-life apart, 1/3 and 2/3; "again": weights 2^(-2/7), 2^(-1/7), 1.
    late, later = 2 ** (-2 / 7), 2 ** (-1 / 7)
    ads = 1 / 3 + 1 / (1 + late + later)
    assert given["time_decay"] == pytest.approx({"ads": ads, "mail": 2 - ads, "(none)": 1})
    assert given["shapley"] == pytest.approx({"ads": 1, "mail": 1, "(none)": 1})
    assert rows.groupby("method")["conversions"].sum().to_list() == pytest.approx([3] * len(METHODS))
    assert rows.groupby("method")["value"].sum().to_list() == pytest.approx([30] * len(METHODS))
    assert set(rows.loc[rows["channel"] == "ads", "cost"]) == {8.0}
    verdict = result.verdict
    assert (verdict.verdict, [reason.code for reason in verdict.reasons]) == (
        "descriptive", ["descriptive", "experiment_disagrees"],
    )  # fmt: skip
    assert [(finding.code, finding.value) for finding in result.findings] == [("without_touch", 1)]
    pages = pages_of(section, TEXTS, result, task)
    assert "Trust the experiment" in pages["en"] and "Верить следует" in pages["ru"]


def test_a_path_with_two_conversions_is_two_journeys(spark, tmp_path) -> None:
    touches = [("a", "ads", day(1)), ("a", "mail", day(3)), ("a", "mail", day(9))]
    frames = {
        "touches": spark.createDataFrame(touches, "path string, channel string, moment timestamp"),
        "conversions": spark.createDataFrame([("a", day(2)), ("a", day(4))], "path string, moment timestamp"),
    }

    result = run(frames, a_task(), stage_context(spark, tmp_path))

    moves = {(row.origin, row.destination): row.journeys for row in result.tables["transitions"].collect()}
    assert moves == {
        (START, "ads"): 1, (START, "mail"): 2, ("ads", CONVERSION): 1, ("mail", CONVERSION): 1, ("mail", NONE): 1,
    }  # fmt: skip


#: Paths of published worked examples, how often each came, and what they print for their channels.
PUBLISHED = [
    # S. Bryl, "Marketing multi-channel attribution model with R": 1 conversion of 3 paths.
    ([("C1", "C2", "C3", CONVERSION), ("C1", NONE), ("C2", "C3", NONE)], {"C1": 0.5, "C2": 1.0, "C3": 1.0}),
    # S. Puzyrov, "Markov chain attribution: simple explanation of removal effect".
    (
        [("ads", CONVERSION)] * 2 + [("mail", CONVERSION), ("ads", "mail", CONVERSION), ("ads", NONE)],
        {"ads": 0.75, "mail": 0.5},
    ),
]


@pytest.mark.parametrize(("paths", "effects"), PUBLISHED)
def test_removal_effects_are_the_published_ones(paths, effects) -> None:
    moves: dict[tuple[str, str], int] = {}
    for path in paths:
        for move in zip((START, *path), path, strict=False):
            moves[move] = moves.get(move, 0) + 1

    found = removal_effects(moves)

    assert found == pytest.approx(effects)
    assert sum(shares(found).values()) == pytest.approx(1)


def test_channels_in_a_circle_are_left_in_the_end() -> None:
    moves = {(START, "a"): 2, ("a", "b"): 3, ("b", "a"): 1, ("b", CONVERSION): 1, ("b", NONE): 1}

    assert removal_effects(moves) == pytest.approx({"a": 1, "b": 1})


def test_shapley_is_the_mean_over_all_orders_of_channels(spark, tmp_path) -> None:
    sets = {"p1": "ab", "p2": "abc", "p3": "c", "p4": "bcd", "p5": "ab"}
    journeys = {path: ([(1, channel) for channel in channels], 2) for path, channels in sets.items()}

    result = shared_out(spark, tmp_path, a_task(), journeys)

    def worth(channels: set[str]) -> int:
        return sum(set(one) <= channels for one in sets.values())

    orders = list(permutations("abcd"))
    expected = {
        channel: sum(
            worth({*order[: order.index(channel) + 1]}) - worth({*order[: order.index(channel)]}) for order in orders
        )
        / len(orders)
        for channel in "abcd"
    }
    rows = result.tables["channels"].where("method = 'shapley' AND channel IS NOT NULL").toPandas()
    assert rows.set_index("channel")["conversions"].to_dict() == pytest.approx(expected)


def test_few_conversions_are_not_shared_out(spark, tmp_path) -> None:
    result = shared_out(spark, tmp_path, a_task(minimum_conversions=3))

    assert (result.verdict.verdict, result.verdict.reasons[0].code) == ("too_little_data", "few")
    assert "Too few conversions" in pages_of(section, TEXTS, result, a_task())["en"]


def test_too_many_channels_are_refused(spark, tmp_path) -> None:
    journeys = {"a": ([(1, f"channel {number}") for number in range(101)], 2)}

    with pytest.raises(RefusedError, match="more than 100 channels"):
        shared_out(spark, tmp_path, a_task(), journeys)


def test_an_experiment_needs_an_interval_around_its_number() -> None:
    with pytest.raises(ConfigurationError, match="low and high must lie around conversions"):
        a_task(experiments={"mail": {"conversions": 1, "low": 2, "high": 3}})
