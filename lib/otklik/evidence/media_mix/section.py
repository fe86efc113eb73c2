"""The page of a media-mix task: the return of each channel, its curve, and the plan for the budget."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from otklik.evidence.media_mix.kind import MediaMixTask
from otklik.kind import Finding, Reader
from otklik.page.blocks import Block, Cell, Figure, Grid, Paragraph, Section, TableBlock, head, heads, number
from otklik.page.figures import Dot, Series, dots, heat_map, lines
from otklik.page.formats import is_number
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice, texts

#: Maximum number of regions in the figure, and of changes in the table of the plan.
_MOST_REGIONS, _MOST_MOVES = 20, 12

TEXTS = texts(
    answer__gain=("Media explain part of the revenue", "Реклама объясняет часть выручки"),
    answer__no_gain=(
        "Media do not explain the revenue of later weeks",
        "Реклама не объясняет выручку следующих недель",
    ),
    answer__too_little_data=("Too few weeks to tell", "Недель слишком мало для вывода"),
    answer__best=(
        "{channel} has the highest return per unit spent: {value} [{low} … {high}].",
        "Больше всего на единицу затрат приносит {channel}: {value} [{low} … {high}].",
    ),
    answer__plan=(
        "Reallocating the same budget would bring {value} [{low} … {high}] more a week.",
        "Тот же бюджет при новом разделении принёс бы на {value} [{low} … {high}] больше в неделю.",
    ),
    answer__plan_open=(
        "It is not shown that reallocating the same budget would bring more: {value} [{low} … {high}] a week.",
        "Не доказано, что тот же бюджет при новом разделении принёс бы больше: {value} [{low} … {high}] в неделю.",
    ),
    reason__media_explain=(
        "On the last {weeks} weeks, which it had not seen, the squared error of the model is {value} [{low} … {high}] "
        "lower than with trend, season and controls alone.",
        "На последних {weeks} неделях, которых модель не видела, её квадратичная ошибка меньше на {value} [{low} … "
        "{high}], чем у модели только из тренда, сезона и прочих факторов.",
    ),
    reason__media_explain_nothing=(
        "On the last {weeks} weeks, which it had not seen, the model is no better than trend, season and controls "
        "alone: media reduce the squared error by {value} [{low} … {high}]. The return of each channel cannot be "
        "determined.",
        "На последних {weeks} неделях, которых модель не видела, она не лучше модели только из тренда, сезона и "
        "прочих факторов: реклама снижает её квадратичную ошибку на {value} [{low} … {high}]. Что приносит каждый "
        "канал, сказать нельзя.",
    ),
    reason__few_weeks=("There are {weeks} weeks; {needed} are needed.", "Недель: {weeks}; нужно {needed}."),
    finding__budget_outside=(
        "A budget of {budget} a week is outside the observed range ({lowest} … {highest}); no plan is made for it.",
        "Бюджет {budget} в неделю лежит вне наблюдавшегося ({lowest} … {highest}); план для него не строится.",
    ),
    finding__bounds_outside=(
        "The bounds of {subject} are outside the observed range ({lowest} … {highest}); no plan is made.",
        "Границы для {subject} не лежат внутри наблюдавшегося ({lowest} … {highest}); план не строится.",
    ),
    finding__experiment_disagrees=(
        "An experiment measured {measured} per unit spent on {subject}; the weekly data give {low} … {high} even with "
        "it taken into account. Trust the experiment.",
        "Эксперимент показал {measured} на единицу затрат на {subject}; по неделям, даже с его учётом, {low} … {high}. "
        "Верьте эксперименту.",
    ),
    finding__negative_spend=(
        "Weekly spend on a channel is negative in {sums} cases, such as refunds; it counts as 0.",
        "Затраты на канал за неделю отрицательны (например, возвраты), случаев: {sums}; они приняты за 0.",
    ),
    measure__error_taken_away=(
        "reduction in squared error on later weeks",
        "снижение квадратичной ошибки на следующих неделях",
    ),
    measure__roi=("revenue per unit spent", "выручка на единицу затрат"),
    key__held=("Error reduction on later weeks", "Снижение ошибки на следующих неделях"),
    key__roi=("Return per unit, {channel}", "Отдача на единицу, {channel}"),
    key__interval=("95% {interval}", "95 %: {interval}"),
    section__channels=("Return of each channel", "Отдача каждого канала"),
    roi__title=("Revenue per unit spent", "Выручка на единицу затрат"),
    roi__takeaway=(
        "Filled: with carry-over and saturation; hollow: plain regression. Below 1 a channel earns less than it costs.",
        "Закрашено: с переносом и насыщением; полые: простая регрессия. Ниже 1 канал приносит меньше, чем стоит.",
    ),
    roi__one=("pays for itself in revenue", "окупается выручкой"),
    roi__model=("model", "модель"),
    roi__naive=("plain regression", "простая регрессия"),
    channels__table=("Channels", "Каналы"),
    channels__note=(
        "Carry-over: share of a week’s effective spend that still works the week after. This is not an experiment: if "
        "you spend more when demand is high, the effect is overestimated. A regional experiment would show it.",
        "Перенос: доля действующих затрат недели, которая работает и на следующей. Это не эксперименты: если тратят "
        "больше при высоком спросе, эффект завышен. Проверить это может эксперимент по регионам.",
    ),
    channels__measured=("experiment: {value}", "эксперимент: {value}"),
    column__channel=("Channel", "Канал"),
    column__spend=("Spend", "Потрачено"),
    column__revenue=("Revenue", "Выручка"),
    column__carry=("Carry-over", "Перенос"),
    column__now=("Now, a week", "Сейчас в неделю"),
    column__plan=("Plan", "План"),
    column__range=("Observed", "Наблюдалось"),
    column__marginal=("Marginal return now", "Предельная отдача сейчас"),
    column__marginal_plan=("in the plan", "в плане"),
    section__curves=("Revenue by weekly spend", "Выручка в зависимости от недельных затрат"),
    curves__takeaway=(
        "At the same spend every week, up to the most that was observed.",
        "При одинаковых затратах каждую неделю, до наибольших наблюдавшихся.",
    ),
    curves__x=("spend a week", "затраты в неделю"),
    curves__y=("revenue a week", "выручка в неделю"),
    section__budget=("The budget", "Бюджет"),
    section__regions=("By region", "По регионам"),
    regions__title=("What one more unit a week would bring", "Что принесла бы ещё одна единица в неделю"),
    regions__takeaway=(
        "At the spend of the last 13 weeks. Where it is above 1, more spend would pay for itself in revenue.",
        "При затратах последних 13 недель. Где больше 1, добавленные затраты окупились бы выручкой.",
    ),
    regions__some=(
        "{takeaway} The {shown} regions with the greatest revenue from media, of {count}.",
        "{takeaway} Показаны регионы с наибольшей выручкой от рекламы: {shown} из {count}.",
    ),
    regions__rows=("region", "регион"),
    regions__columns=("channel", "канал"),
    regions__note=(
        "The response per unit of size is assumed to be the same in all regions; they differ in how much is spent "
        "there. Only an experiment in a region can show whether it responds differently.",
        "Отклик на единицу размера считается одинаковым во всех регионах; они отличаются тем, сколько в них тратят. "
        "Отличается ли отклик региона, покажет эксперимент в нём.",
    ),
    moves__table=("Greatest changes of the plan", "Самые большие изменения в плане"),
    column__region=("Region", "Регион"),
    budget__note=(
        "The plan equalises marginal returns as far as the observed range of each channel allows.",
        "План уравнивает предельную отдачу настолько, насколько позволяет наблюдавшийся диапазон каждого канала.",
    ),
    section__weeks=("Revenue by week", "Выручка по неделям"),
    weeks__title=("Actual, fitted, and without media", "Факт, модель и без рекламы"),
    weeks__takeaway=(
        "The area between the model and the dashed line is the contribution of media.",
        "Между моделью и штриховой линией — вклад рекламы.",
    ),
    weeks__actual=("actual", "факт"),
    weeks__fitted=("model", "модель"),
    weeks__base=("without media", "без рекламы"),
    weeks__x=("week", "неделя"),
    weeks__y=("revenue", "выручка"),
)  # fmt: skip


def section(read: Reader, task: MediaMixTask, voice: Voice) -> Page:
    """The page of a media-mix task.

    Args:
        read: what the run wrote.
        task: the settings.
        voice: the language.
    """
    channels = read.table("channels").toPandas().sort_values("revenue", ascending=False, kind="stable")
    sections = [] if channels.empty else [_channels(channels, voice), _curves(read, voice), _weeks(read, voice)]
    # No plan from a model that explains nothing.
    if read.verdict.verdict == "gain":
        sections[2:2] = [_regions(read, voice), _budget(read, voice)]
    shown = [one for one in sections if one.blocks]
    return Page(task.title[voice.language], task.question[voice.language], _answer(read, channels, voice), shown)


def _said(finding: Finding, voice: Voice) -> str:
    formats = voice.formats
    shares = ("value", "low", "high")
    values = {
        name: formats.percent(float(value), 0) if name in shares else formats.integer(float(value))
        for name, value in finding.parameters.items()
    }
    return voice.words(f"reason.{finding.code}", **values)


def _answer(read: Reader, channels: pd.DataFrame, voice: Voice) -> Answer:
    words, formats, verdict = voice.words, voice.formats, read.verdict
    sentences = [_said(reason, voice) for reason in verdict.reasons]
    figures = []
    held = read.measure("error_taken_away", split="holdout")
    if held is not None:
        interval = formats.interval(held.low, held.high, lambda x: formats.percent(x, 0))
        figures.append(
            KeyFigure(words("key.held"), formats.percent(held.value, 0), words("key.interval", interval=interval))
        )
    # If media explain nothing, the return of a channel is not an answer, only part of the details below.
    shown = channels.dropna(subset="roi").head(4 if verdict.verdict == "gain" else 0)
    for row in shown.to_dict("records"):
        interval = formats.interval(row["roi_low"], row["roi_high"], lambda x: formats.decimal(x, 2))
        label = words("key.roi", channel=row["channel"])
        figures.append(KeyFigure(label, formats.decimal(row["roi"], 2), words("key.interval", interval=interval)))
    if verdict.verdict == "gain" and not channels.empty:
        best = channels.sort_values("roi", ascending=False).iloc[0]
        low, high = (formats.decimal(best[name], 2) for name in ("roi_low", "roi_high"))
        value = formats.decimal(best["roi"], 2)
        sentences.append(words("answer.best", channel=best["channel"], value=value, low=low, high=high))
    plan = read.measure("planned_gain")
    if verdict.verdict == "gain" and plan is not None:
        key = "answer.plan" if plan.low is not None and plan.low > 0 else "answer.plan_open"
        low, high = (formats.money(end) for end in (plan.low, plan.high))
        sentences.append(words(key, value=formats.money(plan.value), low=low, high=high))
    warnings = [voice.told(finding) for finding in read.findings if finding.is_warning]
    return Answer(verdict.verdict, words(f"answer.{verdict.verdict}"), sentences, figures, warnings)


def _channels(channels: pd.DataFrame, voice: Voice) -> Section:
    words, formats = voice.words, voice.formats
    known = channels.dropna(subset="roi").to_dict("records")
    points = [
        Dot(
            row["channel"],
            row["roi"],
            row["roi_low"],
            row["roi_high"],
            row["naive_roi"],
            formats.decimal(row["roi"], 2),
        )
        for row in known
    ]
    title, takeaway = words("roi.title"), words("roi.takeaway")
    picture = dots(
        "roi", points, f"{title}. {takeaway}", formats.short, words=(words("roi.model"), words("roi.naive")),
        reference=(1.0, words("roi.one")),
    )  # fmt: skip
    rows = [
        [
            head(row["channel"], _measured(row["measured_roi"], voice)), number(formats.money(row["spend"])),
            number(
                formats.money(row["revenue"]), formats.interval(row["revenue_low"], row["revenue_high"], formats.money)
            ),
            number(
                formats.decimal(row["carry_over"], 2),
                formats.interval(row["carry_over_low"], row["carry_over_high"], lambda x: formats.decimal(x, 2)),
            ),
        ]
        for row in known
    ]  # fmt: skip
    titles = heads(*(words(f"column.{name}") for name in ("channel", "spend", "revenue", "carry")))
    table = TableBlock(words("channels.table"), titles, rows, note=words("channels.note"))
    return Section("channels", words("section.channels"), [Figure(title, takeaway, picture), table])


def _measured(roi: float | None, voice: Voice) -> str:
    return voice.words("channels.measured", value=voice.formats.decimal(roi, 2)) if is_number(roi) else ""


def _curves(read: Reader, voice: Voice) -> Section:
    words, formats = voice.words, voice.formats
    curves = read.table("curves").where("region IS NULL").toPandas().sort_values(["channel", "spend"])
    figures = []
    for place, (channel, rows) in enumerate(curves.groupby("channel")):
        x, y, low, high = (rows[name].to_numpy(dtype=float) for name in ("spend", "revenue", "low", "high"))
        picture = lines(
            f"curve-{place}", [Series("", x, y, low, high, "main")], f"{channel}. {words('curves.takeaway')}",
            (formats.short, formats.short), (words("curves.x"), words("curves.y")),
        )  # fmt: skip
        figures.append(Figure(str(channel), "" if place else words("curves.takeaway"), picture))
    blocks: list[Block] = [Grid(figures)] if figures else []
    return Section("curves", words("section.curves"), blocks)


def _regions(read: Reader, voice: Voice) -> Section:
    words, formats = voice.words, voice.formats
    rows = read.table("regions").toPandas()
    if rows.empty:
        return Section("regions", words("section.regions"), [])
    brought = rows.groupby("region")["revenue"].sum().sort_values(ascending=False, kind="stable")
    shown = brought.index[:_MOST_REGIONS]
    table = rows.pivot_table(index="region", columns="channel", values="marginal").reindex(shown)
    title, takeaway = words("regions.title"), words("regions.takeaway")
    if len(shown) < len(brought):
        takeaway = words("regions.some", takeaway=takeaway, shown=str(len(shown)), count=formats.integer(len(brought)))
    picture = heat_map(
        "regions", table.to_numpy(dtype=float), ([*map(str, table.index)], [*map(str, table.columns)]),
        f"{title}. {takeaway}", lambda x: formats.decimal(x, 2),
        words=(words("regions.rows"), words("regions.columns")),
    )  # fmt: skip
    return Section("regions", words("section.regions"), [Figure(title, takeaway, picture, note=words("regions.note"))])


def _budget(read: Reader, voice: Voice) -> Section:
    words = voice.words
    plan = read.table("budget").toPandas().sort_values("channel", kind="stable")
    outside = [voice.told(finding) for finding in read.findings if finding.code in ("budget_outside", "bounds_outside")]
    if plan.empty:
        return Section("budget", words("section.budget"), [Paragraph(text) for text in outside])
    columns = [words(f"column.{name}") for name in ("now", "plan", "range", "marginal", "marginal_plan")]
    rows = [[head(row["channel"]), *_planned(row, voice)] for row in plan[plan["region"].isna()].to_dict("records")]
    titles = heads(words("column.channel"), *columns)
    blocks: list[Block] = [TableBlock(words("section.budget"), titles, rows, note=words("budget.note"))]
    cells = plan[plan["region"].notna()]
    if not cells.empty:
        order = (cells["planned"] - cells["spend"]).abs().sort_values(ascending=False, kind="stable").index
        moves = [
            [head(row["region"]), Cell(row["channel"]), *_planned(row, voice)]
            for row in cells.loc[order[:_MOST_MOVES]].to_dict("records")
        ]
        titles = heads(words("column.region"), words("column.channel"), *columns, numbers_from=2)
        blocks.append(TableBlock(words("moves.table"), titles, moves))
    return Section("budget", words("section.budget"), blocks)


def _planned(row: dict[Hashable, Any], voice: Voice) -> list[Cell]:
    """Current and planned spend, and the marginal return of both."""
    formats = voice.formats
    return [
        number(formats.money(row["spend"])), number(formats.money(row["planned"])),
        number(formats.interval(row["lowest"], row["highest"], formats.money)),
        number(formats.decimal(row["marginal"], 2)), number(formats.decimal(row["marginal_planned"], 2)),
    ]  # fmt: skip


def _weeks(read: Reader, voice: Voice) -> Section:
    words, formats = voice.words, voice.formats
    rows = read.table("weeks").toPandas().sort_values("week")
    x = np.arange(len(rows), dtype=np.float64)
    series = [
        Series(words("weeks.base"), x, rows["base"].to_numpy(dtype=float), role="baseline"),
        Series(words("weeks.actual"), x, rows["revenue"].to_numpy(dtype=float)),
        Series(words("weeks.fitted"), x, rows["fitted"].to_numpy(dtype=float), role="main"),
    ]
    ticks = [
        (float(place), formats.period(pd.Timestamp(day), "month"))
        for place, day in enumerate(rows["week"])
        if not place % 13
    ]
    title, takeaway = words("weeks.title"), words("weeks.takeaway")
    picture = lines(
        "weeks", series, f"{title}. {takeaway}", (formats.short, formats.short),
        (words("weeks.x"), words("weeks.y")), ticks=ticks,
    )  # fmt: skip
    return Section("weeks", words("section.weeks"), [Figure(title, takeaway, picture)])
