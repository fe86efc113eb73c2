"""Dependencies between properties and outcomes, from tables of counts.

Every pair is tested by Pearson's chi-square test on quantile bins and levels, which also detects non-monotonic
dependencies; Spearman's rank correlation gives the direction, Cramér's V and mutual information the strength. Given
confounders, pairs are tested within strata (Cochran-Mantel-Haenszel). An association need not be causal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError, RefusedError
from otklik.inference import q_values
from otklik.insights.dependency import association as tests
from otklik.insights.dependency import counting
from otklik.insights.dependency.association import Association, AssociationEstimate, Conditional, Counts
from otklik.insights.dependency.coding import Coding, level_coding, number_coding
from otklik.insights.dependency.counting import Tables
from otklik.insights.dependency.kind import DEPENDENCIES, PROFILES, DependencyTask
from otklik.insights.dependency.profiles import profile_rows
from otklik.kind import Finding, Measure, StageContext, StageResult, Verdict, VerdictCode
from otklik.session import frame_of

MOST_PROPERTIES = 60
#: With more combinations of confounders there are too few customers in each.
MOST_STRATA = 200
#: Share of customers without a value from which there is a finding.
_MISSING = 0.05


def run(frames: Mapping[str, DataFrame], task: DependencyTask, context: StageContext) -> StageResult:
    """Test every property with every outcome.

    Args:
        frames: `customers`: customer, outcomes, confounders and properties.
        task: see `DependencyTask`.
        context: seed of the bootstrap and of the permuted copy.

    Returns:
        Tables `dependencies`, `profiles`; measures `significant` (number of pairs, with that of a permuted copy as
        baseline), `significant_given`, and per pair `cramers_v`, `spearman`, `mutual_information`, with values of
        independent columns as baseline.

    Raises:
        RefusedError: if there are no customers, a customer has several rows, or no outcome or property varies.
        ConfigurationError: if a setting names no column, or confounders have too many combinations.
    """
    customers = frames["customers"]
    names = [name for name in customers.columns if name != "customer"]
    _check_names(names, task)
    texts = {name for name, kind in customers.dtypes if kind == "string"} | {*task.levels}
    typed = context.keep(customers.select("customer", *(_typed(name, texts, task) for name in names)))
    rows, known = _counted(typed, names, task)
    if rows < task.minimum_rows:
        reason = Finding("few_rows", parameters={"rows": rows, "minimum": task.minimum_rows})
        empty = {
            "dependencies": frame_of(context.spark, [], DEPENDENCIES.own_ddl),
            "profiles": frame_of(context.spark, [], PROFILES.own_ddl),
        }
        return StageResult(empty, verdict=Verdict("too_little_data", [reason]))
    codings = _codings(typed, names, texts, rows, known, task)
    findings = _findings(codings, rows, known)
    outcomes = [codings[name] for name in task.outcomes if len(codings[name].labels) > 1]
    properties = [
        codings[name]
        for name in names
        if name not in {*task.outcomes, *task.confounders} and len(codings[name].labels) > 1
    ]
    confounders = [codings[name] for name in task.confounders if len(codings[name].labels) > 1]
    _check_codings(outcomes, properties, confounders, task)
    context.step.under_way("counts")
    tables = counting.count_tables(typed, properties, outcomes, confounders)
    context.step.under_way("tests")
    found = tested(tables, codings, context.seed)
    rows_of_pairs, measures = _rows_and_measures(found, tables, codings, task, context.seed)
    profiles = [
        row
        for (name, outcome), table in tables.fine.items()
        for row in profile_rows(table, codings[name], codings[outcome])
    ]
    return StageResult(
        {
            "dependencies": frame_of(context.spark, rows_of_pairs, DEPENDENCIES.own_ddl),
            "profiles": frame_of(context.spark, profiles, PROFILES.own_ddl),
        },
        measures,
        _verdict(measures, bool(confounders)),
        findings,
    )


def tested(
    tables: Tables, codings: Mapping[str, Coding], seed: int
) -> dict[tuple[str, str], tuple[Association, Conditional | None]]:
    """Every pair, and the same within strata if there are confounders."""
    draw = np.random.default_rng(seed)
    found = {}
    for pair, fine in tables.fine.items():
        one, other = (codings[name] for name in pair)
        is_ordered = one.is_ordered and other.is_ordered
        plain = tests.association(fine, (one.parts, other.parts), is_ordered=is_ordered, draw=draw)
        strata = tables.strata.get(pair)
        found[pair] = plain, None if strata is None else tests.conditional(strata, is_ordered=is_ordered)
    return found


def significant_in_permuted_copy(tables: Mapping[tuple[str, str], Counts], rate: float, seed: int) -> int:
    """Number of significant pairs with permuted outcomes: random tables with the same margins."""
    draw = np.random.default_rng(seed)
    p_values = [tests.chi_square_test(tests.permuted(table, draw)) for table in tables.values()]
    return int((q_values(p_values) <= rate).sum())


def _typed(name: str, texts: set[str], task: DependencyTask) -> Column:
    """A string or a number; numbers used as levels are written as integers if possible: 3, not 3.0."""
    value = F.col(f"`{name}`")
    if name not in texts:
        return value.cast("double").alias(name)
    if name in task.levels:
        whole = value.cast("bigint")
        value = F.when(whole == value, whole.cast("string")).otherwise(value.cast("string"))
    return value.alias(name)


def _check_names(names: Sequence[str], task: DependencyTask) -> None:
    asked = {*task.outcomes, *task.confounders, *task.levels, *task.titles}
    unknown = sorted(asked - {*names})
    if unknown:
        raise ConfigurationError(
            "outcomes, confounders, levels or titles name what is not a column of the frame customers: "
            f"{', '.join(unknown)}",
            where=f"task {task.name}",
            hint=f"its columns are {', '.join(names)}",
        )
    count = len({*names} - {*task.outcomes, *task.confounders})
    if not 1 <= count <= MOST_PROPERTIES:
        raise RefusedError(
            f"{count} properties besides outcomes and confounders; there must be 1 to {MOST_PROPERTIES}",
            where=f"task {task.name}, frame customers",
            hint="declare the properties in [frames.customers.columns]",
        )


def _counted(typed: DataFrame, names: Sequence[str], task: DependencyTask) -> tuple[int, dict[str, int]]:
    """Number of customers, and of customers with a value in each column."""
    counts = typed.agg(F.count("*"), *(F.count(f"`{name}`") for name in names)).collect()[0]
    where = f"task {task.name}, frame customers"
    if not counts[0]:
        raise RefusedError("no customers", where=where, hint="check its input, `where` and columns")
    if typed.groupBy("customer").count().where("count > 1").limit(1).count():
        raise RefusedError("a customer has several rows", where=where, hint="give one row per customer")
    return counts[0], dict(zip(names, counts[1:], strict=True))


def _codings(
    typed: DataFrame, names: Sequence[str], texts: set[str], rows: int, known: Mapping[str, int], task: DependencyTask
) -> dict[str, Coding]:
    """The encoding of each column: numbers from a sample, strings from their most common levels."""
    sample = counting.sample_of_numbers(typed, [name for name in names if name not in texts], rows)
    levels = counting.commonest_levels(typed, [name for name in names if name in texts])
    codings = {}
    for name in names:
        if name in texts:
            codings[name] = level_coding(name, levels.get(name, {}), known[name], task.rare_level_share)
        else:
            bins = task.confounder_bins if name in task.confounders else task.bins
            codings[name] = number_coding(name, sample[name].dropna().to_numpy(dtype=float), bins)
    return codings


def _check_codings(
    outcomes: Sequence[Coding], properties: Sequence[Coding], confounders: Sequence[Coding], task: DependencyTask
) -> None:
    strata = int(np.prod([len(one.labels) for one in confounders]))
    if strata > MOST_STRATA:
        raise ConfigurationError(
            f"confounders have {strata:,} combinations of levels; at most {MOST_STRATA} are allowed",
            where=f"task {task.name}",
            hint="use fewer, or lower confounder_bins",
        )
    for what, some in (("outcome", outcomes), ("property", properties)):
        if not some:
            raise RefusedError(
                f"no {what} has more than one level", where=f"task {task.name}, frame customers", hint="choose others"
            )


def _findings(codings: Mapping[str, Coding], rows: int, known: Mapping[str, int]) -> list[Finding]:
    constant = [Finding("constant", name) for name, coding in codings.items() if len(coding.labels) < 2]
    missing = [
        Finding("missing", name, {"n": rows - count, "rows": rows}, 1 - count / rows)
        for name, count in known.items()
        if 1 - count / rows >= _MISSING
    ]
    return [*constant, *missing]


def _rows_and_measures(
    found: Mapping[tuple[str, str], tuple[Association, Conditional | None]],
    tables: Tables,
    codings: Mapping[str, Coding],
    task: DependencyTask,
    seed: int,
) -> tuple[list[tuple[Any, ...]], list[Measure]]:
    """Rows of the table of dependencies, and all measures."""
    rate = task.false_discovery_rate
    q_plain = dict(zip(found, q_values([plain.p_value for plain, _ in found.values()]).tolist(), strict=True))
    given = {pair: conditional for pair, (_, conditional) in found.items() if conditional is not None}
    q_given = dict(zip(given, q_values([one.p_value for one in given.values()]).tolist(), strict=True))
    rows, measures = [], []
    for (name, outcome), (plain, conditional) in found.items():
        pair = name, outcome
        rank, strength, information = plain.spearman, plain.cramers_v, plain.mutual_information
        row = [
            name, outcome, plain.rows, *_ends(rank), *_ends(strength), strength.chance, information.value,
            information.chance, plain.p_value, q_plain[pair], q_plain[pair] <= rate,
        ]  # fmt: skip
        if conditional is None:
            row += [None] * 8
        else:
            within = conditional.cramers_v
            row += [*_ends(conditional.spearman), within.value, within.chance]
            row += [conditional.p_value, q_given[pair], q_given[pair] <= rate]
        rows.append(tuple(row))
        estimates = {"cramers_v": strength, "spearman": rank, "mutual_information": information}
        measures += [
            Measure(what, one.value, f"{name} → {outcome}", "all", one.low, one.high, one.chance, plain.rows)
            for what, one in estimates.items()
            if one is not None
        ]
    coarse = {
        (name, outcome): tests.coarse(fine, (codings[name].parts, codings[outcome].parts))
        for (name, outcome), fine in tables.fine.items()
    }
    permuted = significant_in_permuted_copy(coarse, rate, seed)
    most = max(plain.rows for plain, _ in found.values())
    count = sum(value <= rate for value in q_plain.values())
    counts = [Measure("significant", float(count), baseline=float(permuted), rows=most)]
    if given:
        held = sum(value <= rate and q_plain[pair] <= rate for pair, value in q_given.items())
        counts.append(Measure("significant_given", float(held), baseline=float(count), rows=most))
    return rows, [*counts, *measures]


def _ends(estimate: AssociationEstimate | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if estimate is None else (estimate.value, estimate.low, estimate.high)


def _verdict(measures: Sequence[Measure], has_confounders: bool) -> Verdict:
    """At best `descriptive`; `no_gain` if no pair is significant, or none within strata."""
    counts = {one.measure: one for one in measures if not one.subject}
    plain, given = counts["significant"], counts.get("significant_given")
    parameters = {
        "significant": int(plain.value or 0),
        "permuted": int(plain.baseline or 0),
        "pairs": sum(one.measure == "cramers_v" for one in measures),
        "given": int(given.value or 0) if given else 0,
    }
    verdict: VerdictCode = "descriptive"
    if parameters["significant"] <= parameters["permuted"]:
        verdict, codes = "no_gain", ["nothing_found"]
    elif has_confounders and not parameters["given"]:
        verdict, codes = "no_gain", ["confounded"]
    else:
        codes = ["found", "found_given"] if has_confounders else ["found"]
    return Verdict(verdict, [Finding(code, parameters=parameters) for code in codes], plain)
