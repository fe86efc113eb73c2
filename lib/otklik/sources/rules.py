"""Whether the row rules of a contract may be run at all: tried before any file is read."""

from __future__ import annotations

import contextlib
import io
import re

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from otklik.errors import ConfigurationError
from otklik.session import frame_of
from otklik.sources.contract import Contract, Rule
from otklik.sources.values import spark_type

#: Functions that leave SQL, or answer otherwise from run to run.
_FORBIDDEN = re.compile(
    r"\b(?:(?:reflect|java_method|try_reflect|rand|randn|random|uuid|shuffle|now|curdate|monotonically_increasing_id"
    r"|spark_partition_id|input_file\w*|over)\s*\(|(?:current_(?:date|time|timestamp|user)|localtimestamp|select)\b)",
    re.IGNORECASE,
)
#: What may stand before a bracket in a rule over texts of a source with personal columns: nothing here fails on any
#: text. Where something does, Spark's fault quotes the text, in its own log and in its event log.
_NEVER_FAILS = re.compile(
    r"and|or|not|in|between|like|ilike|rlike|regexp|when|then|else|if|coalesce|nvl|ifnull|nullif|isnull|isnotnull"
    r"|length|char_length|character_length|octet_length|[lrb]?trim|lower|upper|left|right|substr|substring|concat"
    r"|replace|translate|contains|startswith|endswith|instr|locate|position|regexp_like|regexp_replace|regexp_count"
    r"|try_\w+",
    re.IGNORECASE,
)
_BEFORE_BRACKET = re.compile(r"(\w+)\s*\(")
#: A conversion in a plan, written in the rule or put there by Spark, that fails on a text that does not fit; that of a
#: number written in the rule (`> 0` beside a bigint) does not.
_CONVERSION = re.compile(r"(?<!try_)\bcast\((?!-?[\d.]+ as )")
#: What the analysed plan shows as it is written, without its conversions; the optimised one takes it apart. Only then
#: is that one asked: try_to_timestamp looks in it like a conversion that fails.
_HIDES_CONVERSIONS = re.compile(r"\b(?:between|nullif|nvl|ifnull)\b", re.IGNORECASE)


def check_rules(spark: SparkSession, contract: Contract) -> None:
    """Try the contract's rules on an empty table.

    Raises:
        ConfigurationError: naming every rule that is not a predicate over the contract's columns, and every one that
            may fail on a text of a contract with personal columns: in a record whose fields are shifted, a personal
            value stands in any column.
    """
    if not contract.rules:
        return
    schema = ", ".join(f"`{name}` {spark_type(column.type)}" for name, column in contract.columns.items())
    empty = frame_of(spark, [], schema)
    # A frame that no optimiser can work out beforehand, so that its plan keeps every conversion.
    fields = ", ".join(
        f"'{name}', CAST(CAST(id AS STRING) AS {spark_type(c.type)})" for name, c in contract.columns.items()
    )
    opaque = spark.range(1).selectExpr(f"inline(array(named_struct({fields})))")
    # What is a number or a date by now holds no text.
    texts = [name for name, column in contract.columns.items() if column.type == "string"]
    guarded = texts if contract.personal_columns else []
    faults = [
        f"rules.{rule.name}: {fault}"
        for rule in contract.rules
        if (fault := _fault(empty, rule) or _text_fault(opaque, rule, guarded)) is not None
    ]
    if faults:
        raise ConfigurationError(
            f"invalid rules: {'; '.join(faults)}",
            where=f"source {contract.name}",
            hint="correct rules.holds in the contract: true or false for one row, from its columns alone",
        )


def _fault(empty: DataFrame, rule: Rule) -> str | None:
    if forbidden := _FORBIDDEN.search(_without_texts(rule)):
        return f"{forbidden[0].rstrip('( ')} has no place in a row rule"
    try:
        # Beside a plain column, a predicate that counts rows together does not pass.
        found = empty.select(empty[empty.columns[0]], F.expr(rule.holds).alias("holds")).schema.fields[1].dataType
    except ParseException:
        return "is not valid SQL"
    except AnalysisException as fault:
        return f"does not fit the columns ({(fault.getCondition() or 'unknown fault').split('.')[0].lower()})"
    if found.simpleString() != "boolean":
        return f"is a {found.simpleString()}, not true or false"
    return None


def _text_fault(opaque: DataFrame, rule: Rule, guarded: list[str]) -> str | None:
    """What in a sound rule over guarded columns could fail on their text."""
    text = _without_texts(rule)
    words = {word.lower() for word in re.findall(r"\w+", text)}
    if words.isdisjoint(name.lower() for name in guarded):
        return None
    odd = next((name for name in _BEFORE_BRACKET.findall(text) if not _NEVER_FAILS.fullmatch(name)), None)
    if odd is not None:
        return f"{odd} could fail on a personal value (of a shifted record too) and quote it; use try_cast …"
    analysed, optimised = _plans(opaque.select(F.expr(rule.holds).alias("holds")))
    if _CONVERSION.search(analysed) or (_HIDES_CONVERSIONS.search(text) and _CONVERSION.search(optimised)):
        return "compares texts with other types, which could fail on a personal value and quote it; use try_cast"
    return None


def _plans(frame: DataFrame) -> tuple[str, str]:
    """How Spark reads the frame's columns, and what it makes of them, in which BETWEEN, nvl and nullif are taken apart.

    Spark only prints its plans. Of each the first line counts: what is below is the opaque frame's own.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        frame.explain("extended")
    analysed, _, optimised = printed.getvalue().partition("== Optimized Logical Plan ==")
    return _projection(analysed.partition("== Analyzed Logical Plan ==")[2]), _projection(optimised)


def _projection(plan: str) -> str:
    return next((line for line in plan.splitlines() if line.startswith("Project")), "")


def _without_texts(rule: Rule) -> str:
    """The rule, its quoted texts empty: what stands in them is not SQL."""
    return re.sub(r"'(?:[^'\\]|\\.)*'", "''", rule.holds)
