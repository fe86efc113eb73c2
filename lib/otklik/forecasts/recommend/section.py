"""The page of a recommend task: whether the lists beat the naive rules, what they contain, and how they were made."""

from __future__ import annotations

from pyspark.sql import functions as F

from otklik.forecasts.recommend.judging import METRICS
from otklik.forecasts.recommend.kind import RecommendTask
from otklik.forecasts.recommend.scoring import ALONE
from otklik.forecasts.recommend.serving import REASONS
from otklik.forecasts.recommend.words import TEXTS
from otklik.forecasts.wording import interval
from otklik.kind import Measure, Reader
from otklik.page.blocks import Block, Bullets, DefinitionList, Figure, Section, TableBlock, head, heads, number
from otklik.page.figures import Bar, Dot, bars, dots
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice

__all__ = ["TEXTS", "section"]

#: Number of items in the table of the most shown items.
_MOST_SHOWN = 10
_TERMS = ("ndcg", "recall", "map", "coverage", "novelty", "variety", "own", "popularity", "segment", "item_item", "als",
    "blend",
)  # fmt: skip


def section(read: Reader, task: RecommendTask, voice: Voice) -> Page:
    """The page."""
    words = voice.words
    target = "again" if task.buy_again else "new"
    is_judged = read.measure("ndcg", "blend", target) is not None
    keys = [f"method.{name}" if name in (*ALONE, "blend") else f"metric.{name}" for name in _TERMS]
    terms = DefinitionList([(words(key), words(f"is.{name}")) for key, name in zip(keys, _TERMS, strict=True)])
    judged = [Section("judged", words("section.judged"), _judged(read, target, voice))] if is_judged else []
    return Page(
        task.title[voice.language],
        task.question[voice.language],
        _answer(read, task, target, voice, is_judged),
        [
            *judged,
            Section("lists", words("section.lists"), _lists(read, voice)),
            Section("method", words("section.method"), [Bullets(_method(read, task, target, voice, is_judged)), terms]),
        ],
    )


def _answer(read: Reader, task: RecommendTask, target: str, voice: Voice, is_judged: bool) -> Answer:
    words, formats, verdict = voice.words, voice.formats, read.verdict.verdict
    reasons = [voice.told(reason, "reason") for reason in read.verdict.reasons]
    served = words(
        "answer.served" if verdict == "gain" else "answer.naive_served",
        customers=formats.integer(_value(read, "customers", "", "served")),
        items=formats.integer(_value(read, "listed", "", "served")),
        days=formats.integer(task.test_days),
    )
    others = [voice.told(finding, "reason") for finding in read.findings if "not_beaten" in finding.code]
    figures = []
    if is_judged:
        figures = [
            _key(read, "ndcg", target, voice),
            _key(read, "recall", target, voice),
            _key(read, "coverage", target, voice),
        ]
    warnings = [voice.told(finding) for finding in read.findings if finding.is_warning]
    return Answer(verdict, words(f"verdict.{verdict}"), [*reasons, *others, served], figures, warnings)


def _key(read: Reader, metric: str, target: str, voice: Voice) -> KeyFigure:
    found = read.measure(metric, "blend", target)
    naive = voice.words("key.naive", value=_written(None if found is None else found.baseline, metric, voice))
    note = _interval(found, metric, voice)
    value = _written(None if found is None else found.value, metric, voice)
    return KeyFigure(voice.words(f"metric.{metric}"), value, f"{note}\n{naive}" if note else naive)


def _written(value: float | None, metric: str, voice: Voice) -> str:
    if metric in ("recall", "coverage", "variety"):
        return voice.formats.percent(value)
    return voice.formats.decimal(value, 1 if metric == "novelty" else 3)


def _interval(found: Measure | None, metric: str, voice: Voice) -> str:
    if metric in ("recall", "coverage", "variety"):
        return "" if found is None else voice.formats.percent_interval(found.low, found.high)
    return interval(found, voice, 1 if metric == "novelty" else 3)


def _value(read: Reader, name: str, subject: str, split: str) -> float | None:
    found = read.measure(name, subject, split)
    return None if found is None else found.value


def _methods(read: Reader, split: str) -> list[str]:
    return [name for name in (*ALONE, "blend") if read.measure("ndcg", name, split) is not None]


def _judged(read: Reader, target: str, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    rows = []
    for method in _methods(read, target):
        found = read.measure("ndcg", method, target)
        assert found is not None and found.value is not None and found.low is not None and found.high is not None
        text = formats.decimal(found.value)
        rows.append(
            Dot(
                words(f"method.{method}"),
                found.value,
                found.low,
                found.high,
                text=text,
                is_emphasised=method == "blend",
            )
        )
    picture = dots("ndcg", rows, words("figure.alt"), formats.short)
    other = "new" if target == "again" else "again"
    tables = [
        _table(read, split, voice)
        for split in (target, other, f"{target}_cold", f"{other}_cold")
        if _methods(read, split)
    ]
    return [Figure(words(f"figure.{target}"), words("figure.takeaway"), picture), *tables]


def _table(read: Reader, split: str, voice: Voice) -> TableBlock:
    words = voice.words
    methods = _methods(read, split)
    metrics = [
        name
        for name in (*METRICS[:3], "coverage", "novelty", "variety")
        if read.measure(name, methods[0], split) is not None
    ]
    rows = []
    for method in methods:
        found = {metric: read.measure(metric, method, split) for metric in metrics}
        cells = [
            number(_written(None if one is None else one.value, metric, voice), _interval(one, metric, voice))
            for metric, one in found.items()
        ]
        rows.append([head(words(f"method.{method}")), *cells])
    some = read.measure("ndcg", methods[0], split)
    return TableBlock(
        words(f"table.{split}", customers=voice.formats.integer(None if some is None else some.rows)),
        heads(words("table.method"), *(words(f"metric.{metric}") for metric in metrics)),
        rows,
        emphasised=frozenset([len(methods) - 1]),
    )


def _lists(read: Reader, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    shares = {reason: _value(read, "reason_share", reason, "served") for reason in REASONS.values()}
    picture = bars(
        "reasons",
        [Bar(words(f"because.{reason}"), share, formats.percent(share)) for reason, share in shares.items() if share],
        words("reasons.alt"),
    )
    short = [voice.told(finding) for finding in read.findings if finding.code == "short_lists"]
    customers = _value(read, "customers", "", "served") or 1.0
    most = (
        read.table("recommendations").groupBy("item").agg(F.count("*").alias("lists"))
        .orderBy(F.desc("lists"), "item").limit(_MOST_SHOWN).collect()
    )  # fmt: skip
    table = TableBlock(
        words("shown.caption"),
        heads(words("shown.item"), words("shown.customers"), words("shown.share")),
        [
            [
                head(row["item"]),
                number(formats.integer(row["lists"])),
                number(formats.percent(row["lists"] / customers)),
            ]
            for row in most
        ],
    )
    return [
        Figure(words("reasons.title"), words("reasons.takeaway"), picture),
        table,
        *([Bullets(short)] if short else []),
    ]


def _method(read: Reader, task: RecommendTask, target: str, voice: Voice, is_judged: bool) -> list[str]:
    words, formats = voice.words, voice.formats
    said = [words("how.split", days=formats.integer(task.test_days)), words("how.warm", items=task.minimum_items)]
    if is_judged:
        weights = ", ".join(
            f"{words(f'method.{name}')} {formats.decimal(weight, 3)}"
            for name in ALONE
            if (weight := _value(read, "weight", name, target))
        )
        said.append(words("how.weights", weights=weights))
    return [*said, words("how.interval", replicates=formats.integer(task.bootstrap_replicates)), words("how.limits")]
