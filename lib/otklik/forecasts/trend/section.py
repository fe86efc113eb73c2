"""The page of a trend task: rising items, bursts, and whether rises continue."""

from __future__ import annotations

import pandas as pd
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from otklik.forecasts.trend.kind import TrendTask
from otklik.forecasts.wording import estimate, interval
from otklik.kind import Reader
from otklik.page.blocks import Block, Cell, DefinitionList, Figure, Section, TableBlock, head, heads, number
from otklik.page.figures import Dot, dots
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice, texts

_MOST = 15
_ALL = "(all)"

TEXTS = texts(
    answer__found=(
        "Of {items} items {rising} are rising and {falling} falling, with a false discovery rate of at most {rate}.",
        "Из {items} растут {rising}, падают {falling}; доля ложных открытий — не больше {rate}.",
    ),
    answer__judged=(
        "Of the items rising before the last {ahead} periods, {precision} kept rising; of all items {share}.",
        "Из того, что росло до последних {ahead} периодов, продолжили расти {precision}; из всего — {share}.",
    ),
    answer__peak=(
        "The total peaked at {peak}: {events} events, against a usual {usual}.",
        "Всё вместе достигло пика {peak}: событий {events}, обычно {usual}.",
    ),
    key__rising=("Rising", "Растут"),
    key__falling=("Falling", "Падают"),
    key__bursts=("Bursts", "Всплесков"),
    key__precision=("Rising items that kept rising", "Продолжили расти"),
    key__precision_note=("of all items {share}", "из всех {share}"),
    section__items=("What is rising and falling", "Что растёт и падает"),
    items__title=("Change per {period}, the strongest", "Изменение за период ({period}), сильнейшие"),
    items__takeaway=(
        "Slopes of the last {window} periods, shrunk towards the mean of all items according to their uncertainty.",
        "Наклоны за последние {window} периодов, стянутые к общему среднему: чем менее точен наклон, тем сильнее.",
    ),
    items__alt=("Growth of each item with its interval", "Рост каждого объекта с интервалом"),
    items__growth=("change per period", "изменение за период"),
    items__even=("no change", "без изменений"),
    section__bursts=("Bursts", "Всплески"),
    bursts__caption=("The largest bursts", "Крупнейшие всплески"),
    bursts__item=("Item", "Объект"),
    bursts__period=("Start, UTC", "Начало, UTC"),
    bursts__events=("Events", "Событий"),
    bursts__usual=("Usual", "Обычно"),
    bursts__none=("None beyond chance.", "Нет таких, которых не объяснить случайностью."),
    all=("all together", "всё вместе"),
    period__hour=("hour", "час"),
    period__day=("day", "день"),
    period__week=("week", "неделя"),
    measure__precision=("Rising items that kept rising", "Продолжили расти"),
    section__terms=("Terms", "Термины"),
    terms__rate=("False discovery rate", "Доля ложных открытий"),
    terms__rate_is=(
        "expected share of false positives among the items reported; with many items some seem to rise by chance",
        "доля ложных тревог среди всех; когда объектов много, часть «растёт» случайно",
    ),
    reason__risers_rose=(
        "Of {count} items that were rising, {right} kept rising: significantly more often than others.",
        "Из {count} растущих продолжили расти {right}: значимо чаще прочих.",
    ),
    reason__risers_like_all=(
        "Of {count} items that were rising, {right} kept rising: not significantly more often than others.",
        "Из {count} растущих продолжили расти {right}: различие с прочими незначимо.",
    ),
    reason__too_few_risers=(
        "{count} items were rising before the hold-out; {minimum} are needed to evaluate whether rises continue.",
        "До отложенного периода росли {count}; чтобы судить, продолжится ли рост, нужно {minimum}.",
    ),
)


def section(read: Reader, task: TrendTask, voice: Voice) -> Page:
    """The page."""
    words = voice.words
    terms = DefinitionList([(words("terms.rate"), words("terms.rate_is"))])
    return Page(
        task.title[voice.language],
        task.question[voice.language],
        _answer(read, task, voice),
        [
            Section("items", words("section.items"), _items(read, task, voice)),
            Section("bursts", words("section.bursts"), _bursts(read, task, voice)),
            Section("terms", words("section.terms"), [terms]),
        ],
    )


def _answer(read: Reader, task: TrendTask, voice: Voice) -> Answer:
    words, formats = voice.words, voice.formats
    rising, falling, bursts = (read.measure(name) for name in ("rising", "falling", "bursts"))
    assert rising is not None and falling is not None and bursts is not None
    sentences = [voice.told(reason, "reason") for reason in read.verdict.reasons]
    sentences.append(
        words(
            "answer.found", items=formats.integer(rising.rows), rising=formats.integer(rising.value),
            falling=formats.integer(falling.value), rate=formats.percent(task.false_discovery_rate, 0),
        )
    )  # fmt: skip
    figures = [
        KeyFigure(words("key.rising"), formats.integer(rising.value)),
        KeyFigure(words("key.falling"), formats.integer(falling.value)),
        KeyFigure(words("key.bursts"), formats.integer(bursts.value)),
    ]
    precision = read.measure("precision", split="holdout")
    if precision is not None:
        share = formats.percent(precision.baseline)
        said = estimate(precision, voice, 2)
        sentences.append(words("answer.judged", ahead=task.ahead, precision=said, share=share))
        note = f"{interval(precision, voice, 2)} · {words('key.precision_note', share=share)}"
        figures.append(KeyFigure(words("key.precision"), formats.percent(precision.value), note))
    peak = _with_begin(read.table("bursts").where(F.col("item") == _ALL).where("is_peak")).orderBy("period").first()
    if peak is not None:
        sentences.append(
            words(
                "answer.peak", peak=formats.moment(pd.Timestamp(peak.begin)), events=formats.integer(peak.events),
                usual=formats.integer(peak.usual),
            )
        )  # fmt: skip
    return Answer(read.verdict.verdict, words(f"verdict.{read.verdict.verdict}"), sentences, figures)


def _with_begin(bursts: DataFrame) -> DataFrame:
    """Add the period as formatted by the session, in UTC; collected to Python it would have the machine's time zone."""
    return bursts.withColumn("begin", F.date_format("period", "yyyy-MM-dd HH:mm"))


def _items(read: Reader, task: TrendTask, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    strongest: list[Row] = read.table("items").orderBy("q", F.desc(F.abs("growth")), "item").limit(_MOST).collect()
    drawn = [
        Dot(
            row.item, row.growth, row.low, row.high, text=formats.percent(row.growth),
            is_emphasised=row.direction != "steady",
        )
        for row in sorted(strongest, key=lambda row: -row.growth)
    ]  # fmt: skip
    picture = dots(
        "items", drawn, words("items.alt"), formats.percent, words=(words("items.growth"), ""),
        reference=(0.0, words("items.even")),
    )  # fmt: skip
    title = words("items.title", period=words(f"period.{task.period}"))
    return [Figure(title, words("items.takeaway", window=task.window), picture)]


def _bursts(read: Reader, task: TrendTask, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    largest = _with_begin(read.table("bursts")).orderBy(F.desc("events"), "item", "period").limit(_MOST).collect()
    rows = [
        [
            head(words("all") if row.item == _ALL else row.item),
            Cell(row.begin if task.period == "hour" else formats.day(pd.Timestamp(row.begin))),
            number(formats.integer(row.events)),
            number(formats.integer(row.usual)),
        ]
        for row in largest
    ]
    names = ("bursts.item", "bursts.period", "bursts.events", "bursts.usual")
    top = heads(*map(words, names), numbers_from=2)
    return [TableBlock(words("bursts.caption"), top, rows, note="" if rows else words("bursts.none"))]
