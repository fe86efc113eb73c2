"""Who is measured. Each module holds a table CASES: name of a case → what it does there.

All do the same work on the same files, each the way its own documentation says is fast. Where a contender leaves
something out that Otklik does, or the other way round, the docstring of its function says so.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass

from scripts.benchmarks.work import Case


@dataclass(frozen=True)
class Contender:
    """One of those that are measured.

    Args:
        name: of its module here.
        title: as the page calls it.
        packages: the import names that it needs beside Otklik's own packages.
        uses_spark: whether it wants a session.
    """

    name: str
    title: str
    packages: tuple[str, ...] = ()
    uses_spark: bool = False

    @property
    def is_installed(self) -> bool:
        """Whether its packages are there."""
        return all(importlib.util.find_spec(package) is not None for package in self.packages)

    @property
    def cases(self) -> Mapping[str, Case]:
        """What it does in each case; its packages must be there."""
        cases: Mapping[str, Case] = importlib.import_module(f"{__name__}.{self.name}").CASES
        return cases


OURS, BARE = "otklik_steps", "bare_spark"
PANDAS, POLARS, DUCKDB, XGBOOST = "pandas_sklearn", "with_polars", "with_duckdb", "with_xgboost"

CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(OURS, "Otklik", uses_spark=True),
        Contender(BARE, "bare Spark", uses_spark=True),
        Contender(PANDAS, "pandas + scikit-learn"),
        Contender(POLARS, "Polars", ("polars",)),
        Contender(DUCKDB, "DuckDB", ("duckdb",)),
        Contender(XGBOOST, "XGBoost", ("xgboost",)),
    )
}
