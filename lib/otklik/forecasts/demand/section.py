"""The page of a demand task: totals, methods, accuracy, and the largest series."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd
from pyspark.sql import Row
from pyspark.sql import functions as F

from otklik.forecasts.demand.adding_up import ALL, GROUP
from otklik.forecasts.demand.kind import DemandTask, Stock
from otklik.forecasts.demand.words import TEXTS
from otklik.forecasts.wording import estimate, interval
from otklik.kind import Measure, Reader
from otklik.page.blocks import Block, Cell, DefinitionList, Figure, Paragraph, Section, TableBlock, head, heads, number
from otklik.page.figures import Bar, Series, bars, lines
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice

__all__ = ["TEXTS", "section"]

_LARGEST = 15


def section(read: Reader, task: DemandTask, voice: Voice) -> Page:
    """The page."""
    words = voice.words
    has_forecasts = read.measure("series") is not None
    terms = DefinitionList([(words(f"terms.{name}"), words(f"terms.{name}_is")) for name in ("mase", "interval")])
    parts: list[Section] = []
    if has_forecasts:
        parts = [
            Section("total", words("section.total"), _total(read, task, voice)),
            Section("methods", words("section.methods"), _methods(read, voice)),
            Section("series", words("section.series"), _largest(read, task, voice)),
        ]
        if read.measure("mase_adding_up", split="holdout") is not None:
            parts.append(Section("sums", words("section.sums"), _parts_and_sums(read, task, voice)))
        if task.stock is not None:
            parts.append(Section("stock", words("section.stock"), _stock(read, task, task.stock, voice)))
    return Page(
        task.title[voice.language],
        task.question[voice.language],
        _answer(read, task, voice, has_forecasts),
        [*parts, Section("terms", words("section.terms"), [terms])],
    )


def _judged(read: Reader, name: str) -> Measure:
    found = read.measure(name, split="holdout")
    assert found is not None, f"a judged run has the measure {name}"
    return found


def _sums(read: Reader) -> tuple[float, float]:
    """Totals of the next periods and of the last ones."""
    coming = read.table("forecasts").agg(F.sum("quantity")).collect()[0][0]
    last = read.table("holdout").agg(F.sum("actual")).collect()[0][0]
    return float(coming), float(last)


def _answer(read: Reader, task: DemandTask, voice: Voice, has_forecasts: bool) -> Answer:
    words, formats = voice.words, voice.formats
    verdict, title = read.verdict.verdict, words(f"verdict.{read.verdict.verdict}")
    reasons = [voice.told(reason, "reason") for reason in read.verdict.reasons]
    warnings = [voice.told(finding) for finding in read.findings if finding.is_warning]
    if not has_forecasts:
        return Answer(verdict, title, reasons, warnings=warnings)
    mase, series = _judged(read, "mase"), read.measure("series")
    covered = read.measure("coverage_80", split="holdout")
    assert series is not None and series.rows is not None and series.value is not None
    periods = words(f"periods.{task.period}")
    coming, last = _sums(read)
    sentences = [
        *reasons,
        words(
            "answer.judged", ahead=task.ahead, periods=periods, period=words(f"period.{task.period}"),
            mase=estimate(mase, voice, 2), series=formats.integer(mase.rows), naive=formats.decimal(mase.baseline, 2),
        ),
        *([] if covered is None else [words("answer.covered", covered=formats.percent(covered.value))]),
        words(
            "answer.next", next=formats.integer(coming), ahead=task.ahead, periods=periods, last=formats.integer(last)
        ),
    ]  # fmt: skip
    without = series.rows - int(series.value)
    if without:
        sentences.append(words("answer.not", count=formats.integer(without), all=formats.integer(series.rows)))
    figures = [
        KeyFigure(
            words("key.next", ahead=task.ahead, periods=periods),
            ("+" if coming > last else "") + formats.percent(coming / last - 1 if last else None),
            words("key.next_note", ahead=task.ahead),
        ),
        KeyFigure(
            words("key.mase"), formats.decimal(mase.value, 2),
            words("key.mase_note", naive=formats.decimal(mase.baseline, 2)),
        ),
        KeyFigure(words("key.covered"), formats.percent(None if covered is None else covered.value)),
        KeyFigure(
            words("key.series"), formats.integer(series.value),
            words("key.series_note", all=formats.integer(series.rows)),
        ),
    ]  # fmt: skip
    return Answer(verdict, title, sentences, figures, warnings)


def _total(read: Reader, task: DemandTask, voice: Voice) -> list[Block]:
    """Sums over series by period, at most `ahead` rows of each part."""
    words, formats = voice.words, voice.formats
    sums = [F.sum(name).alias(name) for name in ("quantity", "actual")]
    before = read.table("holdout").groupBy("period").agg(*sums).orderBy("period").collect()
    coming = (
        read.table("forecasts").groupBy("period").agg(F.sum("quantity").alias("quantity")).orderBy("period").collect()
    )
    places = np.arange(len(before) + len(coming), dtype=float)
    past, later = places[: len(before)], places[len(before) :]
    series = [
        Series(words("total.actual"), past, _column(before, "actual")),
        Series(words("total.forecast"), past, _column(before, "quantity"), role="baseline"),
        Series(words("total.next"), later, _column(coming, "quantity"), role="main"),
    ]
    days: list[date] = [row.period for row in (*before, *coming)]
    grain = "month" if task.period == "month" else "day"
    ticks = [(float(place), formats.period(pd.Timestamp(day), grain)) for place, day in enumerate(days)]
    picture = lines(
        "total", series, words("total.alt"), (formats.short, formats.short), ("", words("total.quantity")),
        ticks=ticks, mark=(len(before) - 0.5, words("total.now")),
    )  # fmt: skip
    title = words("total.title", period=words(f"period.{task.period}"))
    return [Figure(title, words("total.takeaway"), picture)]


def _column(rows: Sequence[Row], name: str) -> np.ndarray:
    return np.array([row[name] for row in rows], float)


def _methods(read: Reader, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    mase, changed = _judged(read, "mase"), read.measure("changed_from_default")
    assert mase.value is not None and changed is not None
    models = read.table("models").collect()
    reached = [(row.mase, words(f"model.{row.model}"), False) for row in models]
    earlier = {
        row.model: one for row in models if (one := read.measure("earlier_error", row.model, "earlier")) is not None
    }
    if earlier:
        default, least = min(earlier.items(), key=lambda pair: round(pair[1].value or 0.0, 9))
        note = words(
            "methods.note", default=words(f"model.{default}"), error=formats.decimal(least.value, 2),
            naive=formats.decimal(least.baseline, 2), changed=formats.percent(changed.value),
        )  # fmt: skip
    else:
        note = words("methods.untried", default=words(f"model.{models[0].model}"))
    drawn = [
        Bar(label, value, formats.decimal(value, 2), is_choice)
        for value, label, is_choice in sorted([*reached, (mase.value, words("methods.choice"), True)])
    ]
    figure = Figure(
        words("methods.title"), words("methods.takeaway"), bars("methods", drawn, words("methods.alt")), note
    )  # fmt: skip
    names = (
        "mase",
        "median_mase",
        "mase_gain",
        "rmsse",
        "wrmsse",
        "pinball_10",
        "pinball_50",
        "pinball_90",
        "coverage_80",
    )
    rows = []
    for name in names:
        one = read.measure(name, split="holdout")
        if one is None:
            continue
        value = number(formats.decimal(one.value), interval(one, voice, 3))
        rows.append([head(words(f"measure.{name}")), value, number(formats.decimal(one.baseline))])
    top = [Cell(""), number(words("judged.choice")), number(words("judged.naive"))]
    return [figure, TableBlock(words("judged.caption"), top, rows, note=words("judged.note"))]


def _largest(read: Reader, task: DemandTask, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    coming = read.table("forecasts").groupBy("series").agg(F.sum("quantity").alias("coming"))
    found = read.table("series").where("status = 'forecast'").orderBy(F.desc("quantity"), "series").limit(_LARGEST)
    rows = [
        [
            head(row.series),
            Cell(words(f"kind.{row.kind}")),
            Cell(words(f"model.{row.model}")),
            number(formats.integer(row.coming)),
            number(formats.decimal(row.mase, 2)),
            number(formats.decimal(row.naive_mase, 2)),
        ]
        for row in found.join(coming, "series").orderBy(F.desc("quantity"), "series").collect()
    ]
    periods = f"{task.ahead} {words(f'periods.{task.period}')}"
    top = heads(
        words("series.series"), words("series.kind"), words("series.model"), words("series.next", periods=periods),
        words("series.mase"), words("series.naive"), numbers_from=3,
    )  # fmt: skip
    return [TableBlock(words("series.caption", count=len(rows)), top, rows)]


def _parts_and_sums(read: Reader, task: DemandTask, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    mase, off = _judged(read, "mase_adding_up"), read.measure("error_share", "all", "holdout")
    why = words(
        "sums.why", all=formats.percent(None if off is None else off.value),
        alone=formats.percent(None if off is None else off.baseline), mase=formats.decimal(mase.value, 3),
        mase_alone=formats.decimal(mase.baseline, 3),
    )  # fmt: skip
    sums = [F.sum(name).alias(name) for name in ("quantity", "own")]
    largest = read.table("totals").groupBy("name").agg(*sums).orderBy(F.desc("quantity"), "name").limit(_LARGEST)
    rows = [
        [
            head(words("sums.all") if row["name"] == ALL else row["name"].removeprefix(GROUP)),
            number(formats.integer(row["quantity"])),
            number(formats.integer(row["own"])),
        ]
        for row in largest.collect()
    ]
    periods = f"{task.ahead} {words(f'periods.{task.period}')}"
    top = heads(words("sums.name"), words("series.next", periods=periods), words("sums.own"), numbers_from=1)
    return [Paragraph(why), TableBlock(words("sums.caption"), top, rows)]


def _stock(read: Reader, task: DemandTask, stock: Stock, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    cost, did = (_judged(read, name) for name in ("stock_cost", "stock_enough"))
    span = {"count": stock.periods, "periods": words(f"periods.{task.period}")}
    why = words(
        "stock.why", missing=formats.decimal(stock.missing_cost, 2), left=formats.decimal(stock.left_cost, 2),
        enough=formats.percent(stock.enough), **span,
    )  # fmt: skip
    judged = words(
        "stock.judged", cost=formats.decimal(cost.value, 1), naive=formats.decimal(cost.baseline, 1),
        did=formats.percent(did.value), **span,
    )  # fmt: skip
    largest = read.table("stock").orderBy(F.desc("expected"), "series").limit(_LARGEST).collect()
    rows = [
        [head(row.series), number(formats.decimal(row.expected, 1)), number(formats.integer(row.stock))]
        for row in largest
    ]
    top = heads(*(words(name) for name in ("series.series", "stock.expected", "stock.stock")), numbers_from=1)
    return [Paragraph(why), Paragraph(judged), TableBlock(words("stock.caption", count=len(rows)), top, rows)]
