"""The page of a season task: indices of all customers and of each group, and how well they forecast the last days."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pyspark.sql import functions as F

from otklik.forecasts.season.kind import SeasonTask
from otklik.forecasts.wording import estimate
from otklik.kind import Reader
from otklik.page.blocks import Block, DefinitionList, Figure, Section
from otklik.page.figures import Dot, Series, dots, heat_map, lines
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice, texts

_ALL = "(all)"
_PARTS = ("hour", "weekday", "month", "holiday", "promotion")

TEXTS = texts(
    answer__strongest=(
        "Sales are highest {best} ({high} times the average) and lowest {worst} ({low} times).",
        "Больше всего покупают {best} (в {high} раза больше среднего), меньше всего — {worst} ({low} от среднего).",
    ),
    answer__judged=(
        "In the last {days} days the error of the indices was {error} a day, that of last week {naive}; the gain is "
        "{gain}.",
        "За последние {days} дн. индексы ошибались на {error} в день, прошлая неделя — на {naive}; выигрыш {gain}.",
    ),
    key__error=("Error per day", "Ошибка за день"),
    key__error_note=("last week repeated: {naive}", "повтор прошлой недели: {naive}"),
    key__level=("Error of a constant level", "Ошибка постоянного уровня"),
    section__indices=("When customers buy more", "Когда покупают больше"),
    part__hour=("By hour (UTC)", "По часам (UTC)"),
    part__weekday=("By weekday", "По дням недели"),
    part__month=("By month", "По месяцам"),
    part__holiday=("On holidays", "В праздники"),
    part__promotion=("With a promotion", "Во время акции"),
    indices__takeaway=(
        "1 = as much as on average; lines are 95% intervals.",
        "1 — как в среднем; линии — 95-процентные интервалы.",
    ),
    indices__alt=("Indices with intervals", "Индексы с интервалами"),
    indices__average=("average", "в среднем"),
    indices__index=("index", "индекс"),
    groups__title=("Groups by weekday", "Группы по дням недели"),
    groups__takeaway=("Index of each group; 1 = its own average.", "Индекс каждой группы; 1 — её собственное среднее."),
    section__holdout=("The last days", "Последние дни"),
    holdout__title=("Forecast by the indices", "Прогноз по индексам"),
    holdout__takeaway=(
        "The indices were fitted before these days.",
        "Индексы оценены до этих дней.",
    ),
    holdout__alt=("Actual and forecast quantities of the last days", "Факт и прогноз последних дней"),
    holdout__actual=("actual", "факт"),
    holdout__seasonal=("indices", "индексы"),
    holdout__last_week=("last week again", "прошлая неделя"),
    holdout__quantity=("a day", "в день"),
    weekday__1=("on Mondays", "по понедельникам"),
    weekday__2=("on Tuesdays", "по вторникам"),
    weekday__3=("on Wednesdays", "по средам"),
    weekday__4=("on Thursdays", "по четвергам"),
    weekday__5=("on Fridays", "по пятницам"),
    weekday__6=("on Saturdays", "по субботам"),
    weekday__7=("on Sundays", "по воскресеньям"),
    measure__mean_absolute_error=("Error per day", "Ошибка за день"),
    section__terms=("Terms", "Термины"),
    terms__index=("Index", "Индекс"),
    terms__index_is=(
        "quantity over the average, the trend and, where they are given, price and promotion held fixed",
        "отношение количества к среднему при неизменных тренде и, если они заданы, цене и акциях",
    ),
    reason__no_season=(
        "No weekday or month differs significantly from the others.",
        "Ни один день недели или месяц не отличается значимо от прочих.",
    ),
    reason__not_judged=("There was no period to evaluate the indices on.", "Индексы не на чем проверить."),
    reason__better_than_last_week=(
        "The indices forecast the last days significantly better than the last week does.",
        "Индексы прогнозируют последние дни значимо лучше, чем прошлая неделя.",
    ),
    reason__no_better_than_last_week=(
        "There is seasonality, but the same weekday of last week forecasts just as well.",
        "Сезонность есть, но для прогноза хватает того же дня прошлой недели.",
    ),
    finding__months_need_two_years=(
        "There are no monthly indices: {days} days are too few to separate them from a trend; each month must occur "
        "twice.",
        "Индексов по месяцам нет: за {days} дн. их не отличить от тренда, каждый должен встретиться дважды.",
    ),
    finding__nothing_before=(
        "The group {subject} has no sales before the hold-out and no indices.",
        "Группа {subject} до отложенного периода ничего не купила; индексов нет.",
    ),
)


def section(read: Reader, task: SeasonTask, voice: Voice) -> Page:
    """The page."""
    words = voice.words
    terms = DefinitionList([(words("terms.index"), words("terms.index_is"))])
    return Page(
        task.title[voice.language],
        task.question[voice.language],
        _answer(read, task, voice),
        [
            Section("indices", words("section.indices"), _indices(read, voice)),
            Section("holdout", words("section.holdout"), _holdout(read, voice)),
            Section("terms", words("section.terms"), [terms]),
        ],
    )


def _answer(read: Reader, task: SeasonTask, voice: Voice) -> Answer:
    words, formats = voice.words, voice.formats
    sentences = [voice.told(reason, "reason") for reason in read.verdict.reasons]
    of_all = read.table("indices").where((F.col("group") == _ALL) & (F.col("part") == "weekday"))
    weekdays = of_all.orderBy("index").collect()
    if weekdays:
        worst, best = weekdays[0], weekdays[-1]
        sentences.append(
            words(
                "answer.strongest", best=words(f"weekday.{best.level}"), worst=words(f"weekday.{worst.level}"),
                high=formats.decimal(best["index"], 2), low=formats.decimal(worst["index"], 2),
            )
        )  # fmt: skip
    error, gain, level = (
        read.measure(name, split="holdout") for name in ("mean_absolute_error", "gain", "level_error")
    )
    figures = []
    if error is not None and gain is not None and level is not None:
        naive = formats.decimal(error.baseline, 1)
        value = formats.decimal(error.value, 1)
        said = estimate(gain, voice, 1)
        sentences.append(words("answer.judged", days=task.holdout_days, error=value, naive=naive, gain=said))
        figures = [
            KeyFigure(words("key.error"), value, words("key.error_note", naive=naive)),
            KeyFigure(words("key.level"), formats.decimal(level.value, 1)),
        ]
    return Answer(read.verdict.verdict, words(f"verdict.{read.verdict.verdict}"), sentences, figures)


def _label(part: str, level: int, voice: Voice) -> str:
    if part == "weekday":
        return voice.words(f"weekday.{level}")
    if part == "month":
        return voice.formats.period(pd.Timestamp(2001, level, 1), "month").split()[0]
    return f"{level:02d}:00" if part == "hour" else voice.words(f"part.{part}")


def _indices(read: Reader, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    rows = read.table("indices").orderBy("group", "part", "level").collect()
    blocks: list[Block] = []
    for part in _PARTS:
        some = [row for row in rows if row.group == _ALL and row.part == part]
        if not some:
            continue
        drawn = [
            Dot(_label(part, row.level, voice), row["index"], row.low, row.high, text=formats.decimal(row["index"], 2))
            for row in some
        ]
        picture = dots(
            f"indices-{part}", drawn, words("indices.alt"), formats.short, words=(words("indices.index"), ""),
            reference=(1.0, words("indices.average")),
        )  # fmt: skip
        blocks.append(Figure(words(f"part.{part}"), words("indices.takeaway"), picture))
    groups = sorted({row.group for row in rows if row.group != _ALL})
    if groups:
        values = np.full((len(groups), 7), np.nan)
        for row in rows:
            if row.group != _ALL and row.part == "weekday":
                values[groups.index(row.group), row.level - 1] = row["index"]
        days = [f"{pd.Timestamp(2001, 1, day).day}" for day in range(1, 8)]
        picture = heat_map(
            "groups", values, (groups, days), words("groups.title"), lambda value: formats.decimal(value, 2)
        )
        blocks.append(Figure(words("groups.title"), words("groups.takeaway"), picture))
    return blocks


def _holdout(read: Reader, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    rows = read.table("holdout").where(F.col("group") == _ALL).orderBy("day").collect()
    places = np.arange(len(rows), dtype=float)
    roles = {"last_week": "baseline", "actual": "other", "seasonal": "main"}
    series = [
        Series(words(f"holdout.{name}"), places, np.array([row[name] for row in rows], float), role=role)  # type: ignore[arg-type]
        for name, role in roles.items()
    ]
    ticks = [(float(place), formats.period(pd.Timestamp(row.day), "day")) for place, row in enumerate(rows)]
    picture = lines(
        "holdout", series, words("holdout.alt"), (formats.short, formats.short), ("", words("holdout.quantity")),
        ticks=ticks,
    )  # fmt: skip
    return [Figure(words("holdout.title"), words("holdout.takeaway"), picture)] if rows else []
