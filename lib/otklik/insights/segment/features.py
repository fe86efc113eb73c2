"""The numbers of customers: checked, log-transformed, standardised with fixed means and deviations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, RefusedError
from otklik.kind import Finding

#: Columns of the frames that are not properties of a customer.
_NOT_PROPERTIES = ("customer", "value")


@dataclass(frozen=True)
class Scaling:
    """How numbers are standardised.

    Attributes:
        features: columns that customers are clustered by, in their order.
        log1p: columns taken as sign(x) · ln(1 + |x|).
        means: mean of each property, after the logarithm.
        deviations: standard deviation of each property (of all customers: ddof 0), never 0.
    """

    features: tuple[str, ...]
    log1p: frozenset[str]
    means: Mapping[str, float]
    deviations: Mapping[str, float]

    def level(self, name: str) -> Column:
        """A property, log-transformed if declared."""
        return level(name, self.log1p)

    def scaled(self) -> Column:
        """The features of a row, standardised: ARRAY<DOUBLE>."""
        return F.array(
            *((self.level(name) - F.lit(self.means[name])) / F.lit(self.deviations[name]) for name in self.features)
        )


def level(name: str, log1p: frozenset[str]) -> Column:
    """A column, or its logarithm."""
    column = F.col(name).cast("double")
    return F.signum(column) * F.log1p(F.abs(column)) if name in log1p else column


def properties_of(customers: DataFrame) -> list[str]:
    """The numeric columns of a customer."""
    return [name for name in customers.columns if name not in _NOT_PROPERTIES]


def chosen_features(customers: DataFrame, features: Sequence[str], log1p: Sequence[str]) -> list[str]:
    """The columns to cluster by.

    Raises:
        ConfigurationError: if there are none, or the task names an unknown one.
    """
    properties = properties_of(customers)
    unknown = sorted({*features, *log1p} - set(properties))
    if unknown or not properties:
        raise ConfigurationError(
            f"the frame has no numeric column {unknown[0]!r}"
            if unknown
            else "the frame has no column other than the customer",
            where="frames.customers",
            hint="declare the numeric columns to cluster by in frames.customers.columns",
        )
    return list(features) or properties


def only_complete(customers: DataFrame, features: Sequence[str]) -> DataFrame:
    """Customers whose features are all finite; other properties that are not finite become null."""
    finite = customers.withColumns({name: _finite(name) for name in properties_of(customers)})
    return finite.dropna(subset=list(features))


def _finite(name: str) -> Column:
    number = F.col(name).cast("double")
    return F.when(F.isnotnull(number) & ~F.isnan(number) & (F.abs(number) < F.lit(float("inf"))), number)


def scaling_of(customers: DataFrame, features: Sequence[str], log1p: Sequence[str]) -> tuple[Scaling, list[Finding]]:
    """Means and deviations of all properties; features that are the same for every customer are excluded.

    Returns:
        The scaling, and a finding `constant_feature` for each excluded feature.

    Raises:
        RefusedError: if no feature is left.
    """
    properties, logarithms = properties_of(customers), frozenset(log1p)
    row = customers.agg(
        *(F.avg(level(name, logarithms)).alias(f"{name}_mean") for name in properties),
        *(F.stddev_pop(level(name, logarithms)).alias(f"{name}_deviation") for name in properties),
    ).collect()[0]
    means = {name: float(row[f"{name}_mean"] or 0.0) for name in properties}
    deviations = {name: float(row[f"{name}_deviation"] or 0.0) for name in properties}
    # The rounding error of a constant is not a deviation.
    constant = {name for name in properties if deviations[name] <= 1e-12 * max(1.0, abs(means[name]))}
    kept = tuple(name for name in features if name not in constant)
    if not kept:
        raise RefusedError(
            f"all {len(features)} features are the same for every customer",
            where="frames.customers",
            hint="use features that differ between customers",
        )
    positive = {name: 1.0 if name in constant else deviation for name, deviation in deviations.items()}
    findings = [Finding("constant_feature", name) for name in features if name in constant]
    return Scaling(kept, logarithms, means, positive), findings
