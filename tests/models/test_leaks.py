"""Features that know the answer too well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from otklik.models.leaks import single_feature_auc, suspected_leaks
from otklik.models.prepare import MISSING, OTHER, Slot


def slot(source: str, level: str | None = None) -> Slot:
    return Slot(source if level is None else f"{source}={level}", source, level, "0D", False)


LABEL = np.array([1, 1, 1, 0, 0, 0])


def test_a_number_is_judged_whichever_way_it_points() -> None:
    numbers = np.array([[1.0, 3, 1], [2, 2, 1], [3, 1, 1], [4, 0, 1], [5, -1, 1], [6, -2, 1]])

    found = single_feature_auc(numbers, LABEL, [slot("falls"), slot("rises"), slot("same")])

    assert found == {"falls": 1.0, "rises": 1.0, "same": 0.5}


def test_levels_are_judged_together_by_their_response_rates() -> None:
    levels = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 1, 0]], dtype=float)

    found = single_feature_auc(levels, LABEL, [slot("job", "a"), slot("job", "b"), slot("job", OTHER)])

    # Rates 1, 2/3 and 0: of nine pairs eight are right, or seven and two ties.
    assert found == {"job": pytest.approx((7 + 2 / 2) / 9)}


def test_of_events_in_their_order_the_one_that_tells_most_is_judged() -> None:
    slots = [replace(slot("events"), name=name, is_event=True) for name in ("events[-2]", "events[-1]")]
    paid, other, none = 3.0, 2.0, 0.0
    events = np.array([[other, paid], [paid, other], [none, paid], [none, other], [none, none], [other, other]])

    assert single_feature_auc(events, LABEL, slots) == {"events": 1.0}
    assert single_feature_auc(np.zeros((6, 2)), LABEL, slots) == {"events": 0.5}


@pytest.mark.parametrize("label", [LABEL, 1 - LABEL], ids=["missing for yes", "missing for no"])
def test_that_a_number_is_missing_may_tell_more_than_the_number(label: npt.NDArray[np.int_]) -> None:
    numbers = np.array([[5.0, 1], [5, 1], [5, 1], [4, 0], [5, 0], [6, 0]])

    found = single_feature_auc(numbers, label, [slot("paid"), slot("paid", MISSING)])

    assert found == {"paid": 1.0}


def test_one_class_tells_nothing() -> None:
    assert single_feature_auc(np.ones((3, 1)), np.ones(3), [slot("x")]) == {"x": 0.5}


def test_what_is_declared_as_known_after_is_a_known_leak_however_weak() -> None:
    found = suspected_leaks({"talk": 0.6, "age": 0.95, "job": 0.9}, frozenset({"talk"}), 0.9, "warned")

    assert [(f.feature, f.kind, f.action, f.value) for f in found] == [
        ("age", "suspected_leak", "warned", 0.95),
        ("talk", "known_leak", "left out", 0.6),
    ]
