"""Which model serves: per window, and a single tree only where it is surely better."""

from __future__ import annotations

import pytest

from otklik.models.choice import choose


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        ({"logistic_regression": [0.60, 0.62], "random_forest": [0.70, 0.73]}, "random_forest"),
        # Better on the mean by one window alone: within its error.
        ({"logistic_regression": [0.60, 0.62, 0.61], "decision_tree": [0.58, 0.57, 0.75]}, "logistic_regression"),
        ({"random_forest": [0.60, 0.62, 0.61], "decision_tree": [0.605, 0.615, 0.62]}, "random_forest"),
        ({"random_forest": [0.60, 0.62, 0.61], "decision_tree": [0.65, 0.66, 0.66]}, "decision_tree"),
        # The same lead of a forest counts: it is steady.
        ({"logistic_regression": [0.60, 0.62, 0.61], "random_forest": [0.58, 0.57, 0.75]}, "random_forest"),
        ({"decision_tree": [0.7], "logistic_regression": [0.69]}, "decision_tree"),
        ({"decision_tree": [0.7], "logistic_regression": [0.7]}, "logistic_regression"),
        ({"decision_tree": [float("-inf")], "logistic_regression": [0.5]}, "logistic_regression"),
        ({"decision_tree": [0.5, 0.5], "logistic_regression": [float("-inf")] * 2}, "decision_tree"),
    ],
)
def test_the_best_per_window_serves_unless_it_is_a_tree_whose_lead_is_within_its_error(
    values: dict[str, list[float]], chosen: str
) -> None:
    assert choose(values) == chosen
