"""The page of an effect by region: the effect of the change, and how far to trust it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from otklik.evidence.region_effect.kind import RegionEffectTask
from otklik.kind import Finding, Reader
from otklik.page.blocks import Figure, Section, TableBlock, head, heads, number
from otklik.page.figures import Dot, Series, dots, lines
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice, texts

TEXTS = texts(
    answer__better=("The change works", "Изменение действует"),
    answer__worse=("The change does harm", "Изменение вредит"),
    answer__nothing_shown=("No effect is shown", "Эффект не обнаружен"),
    answer__invalid=("The regions cannot be compared", "Регионы несопоставимы"),
    answer__too_little_data=("Too little data to tell", "Данных слишком мало для вывода"),
    reason__better=(
        "Since the change the treated regions have been {value} [{low} … {high}] above expectation ({p}).",
        "После изменения эти регионы дают на {value} [{low} … {high}] больше ожидаемого ({p}).",
    ),
    reason__worse=(
        "Since the change the treated regions have differed from expectation by {value} [{low} … {high}], for the "
        "worse ({p}).",
        "После изменения эти регионы отличаются от ожидаемого на {value} [{low} … {high}], к худшему ({p}).",
    ),
    reason__nothing_shown=(
        "Since the change the treated regions have differed from expectation by {value} [{low} … {high}], which may be "
        "chance ({p}).",
        "После изменения эти регионы отличаются от ожидаемого на {value} [{low} … {high}], что может быть "
        "случайностью ({p}).",
    ),
    reason__trends_differ=(
        "The treated regions were already diverging from the others before the change, by {value} [{low} … {high}] a "
        "period ({p}): what followed may be the same trend.",
        "Ещё до изменения эти регионы расходились с остальными на {value} [{low} … {high}] за период ({p}): после "
        "него могла продолжиться та же тенденция.",
    ),
    reason__placebo_moved=(
        "A placebo change before the real one “has an effect” of {value} [{low} … {high}] ({p}): the regions "
        "differ for other reasons.",
        "Мнимое изменение до настоящего «даёт эффект» {value} [{low} … {high}] ({p}): регионы расходятся по другим "
        "причинам.",
    ),
    reason__poor_fit=(
        "No weighted mix of the other regions tracks this one before the change: the error is {times} times the usual "
        "one.",
        "Никакое сочетание других регионов не похоже на этот до изменения: отклонение в {times} раза больше обычного.",
    ),
    reason__few_periods=(
        "There are {before} periods before the change and {after} since; {needed} before and one since are needed.",
        "Периодов до изменения {before}, после — {after}; нужно не меньше {needed} до и одного после.",
    ),
    reason__few_regions=(
        "There are {treated} regions with the change and {others} without; this design needs {needed} and "
        "{needed_others}: with fewer, even the largest effect could be chance.",
        "Регионов с изменением {treated}, без него {others}; для этой схемы нужно {needed} и {needed_others}: иначе "
        "даже наибольший эффект может быть случайным.",
    ),
    measure__effect=("effect of the change", "эффект изменения"),
    measure__placebo=("effect of a placebo change", "эффект мнимого изменения"),
    measure__total=("total effect of the change", "эффект изменения всего"),
    key__effect=("Effect of the change", "Эффект изменения"),
    key__total=("Total effect", "Эффект всего"),
    key__naive=("compared with their own past: {naive}", "по сравнению с собственным прошлым: {naive}"),
    key__placebo=("Placebo, before the change", "Плацебо, до изменения"),
    section__periods=("With the change and without", "С изменением и без"),
    periods__title=("Observed and expected", "Факт и ожидание"),
    periods__takeaway=(
        "1 is the mean of a period before the change. Expected: from the regions without it.",
        "1 — среднее за период до изменения. Ожидание — по регионам без него.",
    ),
    periods__actual=("with the change", "с изменением"),
    periods__expected=("expected", "ожидание"),
    periods__start=("change", "изменение"),
    gap__title=("Difference by period", "Разница по периодам"),
    gap__takeaway=(
        "Before the change it should be close to 0; otherwise the regions are not comparable.",
        "До изменения должна быть около нуля; если это не так, регионы несопоставимы.",
    ),
    gap__x=("period", "период"),
    gap__y=("difference", "разница"),
    section__placebo=("Placebo test", "Проверка плацебо"),
    placebo__title=("Effect and placebo", "Эффект и плацебо"),
    placebo__takeaway=(
        "The placebo is the same estimate for an invented change before the real one.",
        "Плацебо — тот же расчёт для мнимого изменения до настоящего.",
    ),
    placebo__zero=("no effect", "нет эффекта"),
    section__regions=("Regions", "Регионы"),
    role__treated=("with the change", "с изменением"),
    role__compared=("compared", "для сравнения"),
    column__region=("Region", "Регион"),
    column__role=("Role", "Роль"),
    column__weight=("Weight", "Вес"),
    column__before=("A period before", "За период до"),
    column__after=("A period since", "За период после"),
    regions__note=("{unused} regions were not used.", "Не использовано регионов: {unused}."),
)  # fmt: skip

_MOST_ROWS = 40


def section(read: Reader, task: RegionEffectTask, voice: Voice) -> Page:
    """The page of an effect by region.

    Args:
        read: what the run wrote.
        task: the settings.
        voice: the language.
    """
    periods = read.table("periods").toPandas().sort_values("period", ignore_index=True)
    sections = [] if periods.empty else [_periods(periods, voice), _placebo(read, voice), _regions(read, voice)]
    return Page(task.title[voice.language], task.question[voice.language], _answer(read, voice), sections)


def _said(finding: Finding, voice: Voice) -> str:
    formats = voice.formats
    values: dict[str, object] = {}
    for name, value in finding.parameters.items():
        if isinstance(value, int):
            values[name] = formats.integer(value)
        elif name == "p":
            values[name] = formats.p_equation(float(value))
        elif name == "times":
            values[name] = formats.decimal(float(value), 1)
        else:
            values[name] = formats.percent(float(value), 2)
    return voice.words(f"reason.{finding.code}", **values)


def _answer(read: Reader, voice: Voice) -> Answer:
    words, formats, verdict = voice.words, voice.formats, read.verdict
    code = verdict.reasons[0].code
    title = words(f"answer.{code if words.has(f'answer.{code}') else verdict.verdict}")
    figures = []
    for name in ("effect", "placebo"):
        found = read.measure(name)
        if found is not None:
            interval = formats.interval(found.low, found.high, formats.percent)
            figures.append(KeyFigure(words(f"key.{name}"), formats.percent(found.value), interval))
    total = read.measure("total")
    if total is not None:
        note = words("key.naive", naive=formats.money(total.baseline))
        interval = formats.interval(total.low, total.high, formats.money)
        small = f"{interval}; {note}" if interval else note
        figures.insert(1, KeyFigure(words("key.total"), formats.money(total.value), small))
    warnings = [voice.told(finding) for finding in read.findings]
    return Answer(verdict.verdict, title, [_said(reason, voice) for reason in verdict.reasons], figures, warnings)


def _periods(periods: pd.DataFrame, voice: Voice) -> Section:
    words, formats = voice.words, voice.formats
    x = np.arange(len(periods), dtype=np.float64)
    step = max(len(periods) // 8, 1)
    ticks = [(float(x[place]), formats.day(pd.Timestamp(periods["period"][place]))) for place in range(0, len(x), step)]
    mark = (float((~periods["is_after"]).sum()) - 0.5, words("periods.start"))
    actual, expected, gap, low, high = (
        periods[name].to_numpy(dtype=np.float64) for name in ("actual", "expected", "gap", "low", "high")
    )
    title, takeaway = words("periods.title"), words("periods.takeaway")
    both = lines(
        "periods",
        [Series(words("periods.expected"), x, expected, role="baseline"),
         Series(words("periods.actual"), x, actual, role="main")],
        f"{title}. {takeaway}", (formats.short, formats.short), (words("gap.x"), ""), ticks=ticks, mark=mark,
    )  # fmt: skip
    gap_title, gap_takeaway = words("gap.title"), words("gap.takeaway")
    apart = lines(
        "gaps",
        [Series("", x, np.zeros(len(x)), role="baseline"), Series("", x, gap, low, high, "main")],
        f"{gap_title}. {gap_takeaway}", (formats.short, formats.percent), (words("gap.x"), words("gap.y")),
        ticks=ticks, mark=mark,
    )  # fmt: skip
    figures = [Figure(title, takeaway, both), Figure(gap_title, gap_takeaway, apart)]
    return Section("periods", words("section.periods"), figures)


def _placebo(read: Reader, voice: Voice) -> Section:
    words, formats = voice.words, voice.formats
    rows = {row["estimate"]: row for row in read.table("effects").toPandas().to_dict("records")}
    points = [
        Dot(
            words(f"key.{name}"), row["value"], row["low"], row["high"], text=formats.percent(row["value"]),
            is_emphasised=name == "effect",
        )
        for name, row in ((name, rows[name]) for name in ("effect", "placebo"))
    ]  # fmt: skip
    title, takeaway = words("placebo.title"), words("placebo.takeaway")
    picture = dots("placebo", points, f"{title}. {takeaway}", formats.percent, reference=(0.0, words("placebo.zero")))
    return Section("placebo", words("section.placebo"), [Figure(title, takeaway, picture)])


def _regions(read: Reader, voice: Voice) -> Section:
    words, formats = voice.words, voice.formats
    regions = read.table("regions").toPandas().sort_values(["role", "weight", "region"], ascending=[False, False, True])
    used = regions[regions["role"] != "unused"]
    rows = [
        [
            head(row["region"], row["partner"] or ""), number(words(f"role.{row['role']}")),
            number(formats.percent(row["weight"]) if row["weight"] > 0 else ""),
            number(formats.money(row["before"])), number(formats.money(row["after"])),
        ]
        for row in used.head(_MOST_ROWS).to_dict("records")
    ]  # fmt: skip
    titles = heads(*(words(f"column.{name}") for name in ("region", "role", "weight", "before", "after")))
    note = words("regions.note", unused=formats.integer(len(regions) - len(rows)))
    table = TableBlock(words("section.regions"), titles, rows, note=note if len(regions) > len(rows) else "")
    return Section("regions", words("section.regions"), [table])
