import math

import numpy as np
import pandas as pd
import pytest

from otklik.models.bootstrap import Resampling, draw_hash, interval, mixed, poisson_weights


def test_weights_belong_to_units_and_not_to_places() -> None:
    units = np.array(["a", "b", "c", "b", "d"], dtype=object)
    order = np.array([4, 2, 0, 3, 1])
    weights = poisson_weights(units, 50, "salt")
    assert np.array_equal(poisson_weights(units[order], 50, "salt"), weights[:, order])
    assert np.array_equal(weights[:, 1], weights[:, 3])
    assert np.array_equal(poisson_weights(np.array(["c"]), 50, "salt")[:, 0], weights[:, 2])


def test_the_first_replicates_do_not_depend_on_how_many_follow() -> None:
    units = np.arange(20)
    assert np.array_equal(poisson_weights(units, 200, "salt")[:7], poisson_weights(units, 7, "salt"))


def test_weights_are_poisson_1() -> None:
    weights = poisson_weights(np.arange(2_000), 200, "salt")
    for count in range(6):
        expected = math.exp(-1) / math.factorial(count)
        assert (weights == count).mean() == pytest.approx(expected, abs=4 * math.sqrt(expected / weights.size))
    # Neither units nor replicates go together.
    assert np.abs(np.corrcoef(weights[:, :20].T) - np.eye(20)).max() < 0.35
    assert np.abs(np.corrcoef(weights[:20]) - np.eye(20)).max() < 0.12


def test_another_salt_is_another_draw() -> None:
    units = np.arange(500)
    same = (poisson_weights(units, 10, "bootstrap") == poisson_weights(units, 10, "control")).mean()
    assert 0.2 < same < 0.42


def test_the_generator_is_splitmix64() -> None:
    # First outputs of splitmix64.c for the seed 1234567.
    seeds = np.array([1234567], dtype=np.uint64)
    assert mixed(seeds, np.arange(3, dtype=np.uint64))[:, 0].tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_a_unit_is_its_text() -> None:
    moments = pd.to_datetime(["2010-01-01", "2010-01-02"])
    assert np.array_equal(draw_hash(moments.to_numpy("datetime64[us]"), "s"), draw_hash(moments.to_numpy(), "s"))
    assert np.array_equal(draw_hash(np.array([7]), "s"), draw_hash(np.array(["7"], dtype=object), "s"))
    # Fixed for ever: stored intervals depend on it.
    assert draw_hash(np.array(["unit"]), "salt").tolist() == [2998015395943949718]


def test_sums_are_the_weighted_sums() -> None:
    units = np.array(["a", "b", "a", "c"])
    resampling = Resampling.of(units, 300, "salt")
    sums = resampling.sums(np.array([1, 2, 3, 4]), np.ones(4))
    weights = poisson_weights(units, 300, "salt")
    assert np.array_equal(sums, np.stack([weights @ [1, 2, 3, 4], weights.sum(axis=1)]))


def test_a_row_without_a_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="no unit"):
        Resampling.of(np.array(["a", None], dtype=object), 10, "salt")


def test_interval_needs_most_of_the_replicates() -> None:
    assert interval(np.arange(1001.0)) == (25.0, 975.0)
    assert interval(np.array([1.0, np.nan])) == (None, None)
