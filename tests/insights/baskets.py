"""Baskets for tests, and what stands for the runner."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from otklik.insights.rules.kind import RulesTask

FIRST_DAY = datetime(2025, 3, 1, 12, tzinfo=UTC)


def rules_task(**settings: Any) -> RulesTask:
    words = {"en": "Baskets", "ru": "Корзины"}
    fixed = {"name": "baskets", "kind": "rules", "title": words, "question": words, "inputs": {"lines": "silver.lines"}}
    return RulesTask.model_validate({**fixed, **settings})


def as_frame(spark: SparkSession, baskets: Sequence[Sequence[str]], *, is_timed: bool = False) -> DataFrame:
    """A row per item; basket n comes on day n modulo 20 where they have moments."""
    rows = [
        (f"b{number}", item, FIRST_DAY + timedelta(days=number % 20))
        for number, basket in enumerate(baskets)
        for item in basket
    ]
    frame = spark.createDataFrame(
        pd.DataFrame(rows, columns=["basket", "item", "moment"]), "basket STRING, item STRING, moment TIMESTAMP"
    )
    return frame if is_timed else frame.drop("moment")


def noisy_baskets(count: int, seed: int, items: int = 12) -> list[list[str]]:
    """Items that know nothing of each other, in baskets of very different sizes."""
    draw = np.random.default_rng(seed)
    chances = np.linspace(0.6, 0.1, items)
    fullness = draw.choice([0.3, 1.0, 1.6], size=count)
    bought = draw.random((count, items)) < np.minimum(chances * fullness[:, None], 0.95)
    return [[f"item {number:02}" for number in np.flatnonzero(row)] or ["item 00"] for row in bought]


def planted_baskets(count: int, seed: int) -> list[list[str]]:
    """The same with bread that brings butter in 7 of 10 baskets, and tea and coffee that hardly ever meet."""
    draw = np.random.default_rng(seed)
    hot = ([["tea"], ["coffee"], ["tea", "coffee"], []], [0.3, 0.3, 0.02, 0.38])
    planted = []
    for noise in noisy_baskets(count, seed):
        bread = ["bread"] if draw.random() < 0.25 else []
        butter = ["butter"] if draw.random() < (0.7 if bread else 0.1) else []
        planted.append([*noise, *bread, *butter, *hot[0][draw.choice(4, p=hot[1])]])
    return planted
