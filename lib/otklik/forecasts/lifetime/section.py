"""The page of a lifetime task: the forecast, its accuracy in the hold-out, and the model."""

from __future__ import annotations

import itertools

from otklik.forecasts.lifetime.kind import LifetimeTask
from otklik.forecasts.lifetime.words import TEXTS
from otklik.forecasts.wording import estimate, interval
from otklik.kind import Measure, Reader
from otklik.page.blocks import Block, Cell, DefinitionList, Figure, Section, TableBlock, head, heads, number
from otklik.page.figures import Dot, dots
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice

__all__ = ["TEXTS", "section"]


def section(read: Reader, task: LifetimeTask, voice: Voice) -> Page:
    """The page."""
    is_judged = read.measure("gini", split="holdout") is not None
    names = ("purchase", "alive", "gini")
    terms = DefinitionList([(voice.words(f"terms.{name}"), voice.words(f"terms.{name}_is")) for name in names])
    return Page(
        task.title[voice.language],
        task.question[voice.language],
        _answer(read, task, voice, is_judged),
        [
            *(_sections(read, task, voice) if is_judged else []),
            Section("terms", voice.words("section.terms"), [terms]),
        ],
    )


def _sections(read: Reader, task: LifetimeTask, voice: Voice) -> list[Section]:
    return [
        Section("next", voice.words("section.next"), _next(read, task, voice)),
        Section("holdout", voice.words("section.holdout"), _holdout(read, voice)),
        Section("model", voice.words("section.model"), _model(read, task, voice)),
    ]


def _answer(read: Reader, task: LifetimeTask, voice: Voice, is_judged: bool) -> Answer:
    reasons = [voice.told(reason, "reason") for reason in read.verdict.reasons]
    warnings = [voice.told(finding) for finding in read.findings if finding.is_warning]
    title = voice.words(f"verdict.{read.verdict.verdict}")
    if not is_judged:
        return Answer(read.verdict.verdict, title, reasons)
    sentences = [_about_ranking(read, voice), _about_holdout(read, task, voice), _about_next(read, task, voice)]
    return Answer(read.verdict.verdict, title, [*reasons, *sentences], _key_figures(read, task, voice), warnings)


def _has_amounts(read: Reader) -> bool:
    return bool((read.measures["measure"] == "value").any())


def _about_holdout(read: Reader, task: LifetimeTask, voice: Voice) -> str:
    expected, actual, ratio = (_judged(read, name) for name in ("purchases", "actual_purchases", "expected_to_actual"))
    assert ratio.value is not None
    return voice.words(
        "answer.holdout",
        days=voice.formats.integer(task.holdout_days),
        customers=voice.formats.integer(expected.rows),
        actual=voice.formats.integer(actual.value),
        expected=estimate(expected, voice),
        percent=voice.formats.percent(abs(ratio.value - 1)),
        direction=voice.words("answer.fewer" if ratio.value < 1 else "answer.more"),
        naive=voice.formats.integer(expected.baseline),
    )


def _about_ranking(read: Reader, voice: Voice) -> str:
    gini, gain = _judged(read, "gini"), _judged(read, "gini_gain")
    what, past = ("value", "spent") if _has_amounts(read) else ("purchases", "bought")
    return voice.words(
        "answer.ranking",
        by_model=voice.words(f"by.{what}"),
        by_naive=voice.words(f"by.{past}"),
        spend=voice.words(f"spend.{what}"),
        gini=estimate(gini, voice, 3),
        naive=voice.formats.decimal(gini.baseline),
        gain=estimate(gain, voice, 3),
    )


def _about_next(read: Reader, task: LifetimeTask, voice: Voice) -> str:
    days = str(min(task.horizons_days))
    purchases, value = read.measure("purchases", days, "forecast"), read.measure("value", days, "forecast")
    worth = "" if value is None else voice.words("answer.worth", value=_money(value, task, voice))
    return voice.words(
        "answer.next",
        days=days,
        customers=voice.formats.integer(None if purchases is None else purchases.rows),
        purchases=estimate(purchases, voice),
        value=worth,
    )


def _money(value: Measure, task: LifetimeTask, voice: Voice) -> str:
    return voice.formats.money(value.value, task.currency[voice.language])


def _judged(read: Reader, name: str) -> Measure:
    found = read.measure(name, split="holdout")
    assert found is not None, f"a judged run has the measure {name}"
    return found


def _key_figures(read: Reader, task: LifetimeTask, voice: Voice) -> list[KeyFigure]:
    days = str(min(task.horizons_days))
    purchases, value = read.measure("purchases", days, "forecast"), read.measure("value", days, "forecast")
    alive, gini = read.measure("alive", split="forecast"), _judged(read, "gini")
    words, formats = voice.words, voice.formats
    figures = [
        KeyFigure(
            words("key.purchases", days=days),
            formats.integer(None if purchases is None else purchases.value),
            interval(purchases, voice),
        )
    ]
    if value is not None:
        figures.append(KeyFigure(words("key.value", days=days), _money(value, task, voice), interval(value, voice)))
    if alive is not None:
        is_told = alive.value is not None
        recent = words("key.alive_note", percent=formats.percent(alive.baseline), days=task.holdout_days)
        figures.append(
            KeyFigure(
                words("key.alive"), formats.percent(alive.value), recent if is_told else words("key.alive_unknown")
            )
        )
    past = words("spend.value" if value is not None else "spend.purchases")
    naive = words("key.gini_note", by=past, naive=formats.decimal(gini.baseline))
    return [*figures, KeyFigure(words("key.gini"), formats.decimal(gini.value), naive)]


def _next(read: Reader, task: LifetimeTask, voice: Voice) -> list[Block]:
    words, rows = voice.words, []
    has_amounts = _has_amounts(read)
    for days in sorted(task.horizons_days):
        purchases = read.measure("purchases", str(days), "forecast")
        value = read.measure("value", str(days), "forecast")
        assert purchases is not None
        row = [
            head(voice.formats.integer(days)),
            number(voice.formats.integer(purchases.value), interval(purchases, voice)),
            number(voice.formats.integer(purchases.baseline)),
        ]
        if value is not None:
            row += [
                number(_money(value, task, voice), interval(value, voice)),
                number(voice.formats.money(value.baseline, task.currency[voice.language])),
            ]
        rows.append(row)
    names = ["next.days", "next.purchases", "next.rate", *(["next.value", "next.rate"] if has_amounts else [])]
    top = heads(*map(words, names))
    return [TableBlock(words("next.caption"), top, rows, takeaway=words("next.takeaway"))]


def _holdout(read: Reader, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    deciles = read.table("deciles").orderBy("decile").collect()
    rows = [
        Dot(words("deciles.label", decile=row.decile), row.actual, row.low, row.high, row.expected,
            f"{formats.decimal(row.actual, 2)} / {formats.decimal(row.expected, 2)}")
        for row in deciles
    ]  # fmt: skip
    worst = max(deciles, key=lambda row: abs(row.actual - row.expected))
    picture = dots(
        "deciles", rows, words("deciles.alt"), formats.short, words=(words("deciles.actual"), words("deciles.expected"))
    )
    takeaway = words(
        "deciles.takeaway",
        decile=worst.decile,
        expected=formats.decimal(worst.expected, 2),
        actual=formats.decimal(worst.actual, 2),
    )
    what, past = ("value", "spent") if _has_amounts(read) else ("purchases", "bought")
    names = (
        "gini", "gini_gain", "top_tenth", "expected_to_actual", "mean_absolute_error", "correlation",
        "rank_correlation",
    )  # fmt: skip
    judged = []
    for name in names:
        one = _judged(read, name)
        label = words(f"measure.{name}", spend=words(f"spend.{what}"))
        judged.append(
            [
                head(label),
                number(formats.decimal(one.value), interval(one, voice, 3)),
                number(formats.decimal(one.baseline)),
            ]
        )
    return [
        Figure(words("deciles.title"), takeaway, picture, words("deciles.note")),
        TableBlock(
            words("judged.caption"),
            [Cell(""), number(words("judged.model")), number(words("judged.naive"))],
            judged,
            note=words("judged.note", by_naive=words(f"by.{past}")),
        ),
    ]


def _model(read: Reader, task: LifetimeTask, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    fitted = read.table("parameters").where("part = 'all'").collect()
    rows: list[list[Cell]] = []
    groups: dict[int, str] = {}
    by_model = itertools.groupby(
        sorted(fitted, key=lambda row: (not row.is_used, row.model)), lambda row: (row.is_used, row.model)
    )
    for (is_used, model), some in by_model:
        parameters = list(some)
        likelihood = formats.decimal(parameters[0].log_likelihood, 2)
        key = "model.used" if is_used else "model.likelihood"
        groups[len(rows)] = words(key, model=words(f"model.{model}"), value=likelihood)
        for row in parameters:
            value = words("model.not_told") if row.value is None else formats.decimal(row.value, 4)
            span = formats.interval(row.low, row.high, lambda number: formats.decimal(number, 4))
            rows.append([head(row.parameter), number(value), number(span)])
    top = heads(words("model.parameter"), words("model.value"), words("model.interval"))
    note = words("model.note", unit=words(f"unit.{task.time_unit}"))
    return [TableBlock(words("model.caption"), top, rows, note=note, groups=groups)]
