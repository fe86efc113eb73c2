"""The page of an attribution task: the credit of each channel by each rule, and contradicting experiments."""

from __future__ import annotations

import pandas as pd

from otklik.evidence.attribution.kind import METHODS, AttributionTask
from otklik.kind import Reader
from otklik.page.blocks import Block, Cell, Figure, Paragraph, Section, TableBlock, head, heads, number
from otklik.page.figures import Dot, dots, heat_map
from otklik.page.formats import NOTHING, is_number
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice, texts

TEXTS = texts(
    answer__descriptive=(
        "A description: which channels preceded conversions",
        "Описание: какие каналы предшествовали конверсиям",
    ),
    answer__too_little_data=("Too few conversions to attribute", "Слишком мало конверсий, чтобы их распределять"),
    answer__top=(
        "By the Shapley value {channel} gets the most: {share} of all conversions; by last touch {last}.",
        "По правилу Шепли больше всего получает {channel}: {share} всех конверсий; по последнему касанию {last}.",
    ),
    reason__descriptive=(
        "{n} conversions after a touch are attributed. No rule shows what a channel has caused: people who are about "
        "to buy also click.",
        "Распределено конверсий после касания: {n}. Ни одно правило не показывает, что канал вызвал: кто и так "
        "собирался "
        "купить, тоже кликает.",
    ),
    reason__experiment_disagrees=(
        "{subject}: {outside} of {all} rules are outside the interval of an experiment ({low} … {high}). Trust the "
        "experiment.",
        "{subject}: правил вне найденного экспериментом интервала ({low} … {high}): {outside} из {all}. Верить следует "
        "эксперименту.",
    ),
    reason__few=(
        "{found} conversions have a touch before them; at least {needed} are needed.",
        "Конверсий с касанием: {found}; нужно не меньше {needed}.",
    ),
    finding__without_touch=(
        "{n} of {all} conversions have no touch in the window. They are not attributed to any channel.",
        "Конверсий без касания в окне: {n} из {all}. Они не отнесены ни к одному каналу.",
    ),
    finding__without_value=(
        "Conversions have no value: each counts as 1.", "У конверсий нет стоимости: каждая считается за 1."
    ),
    measure__conversions=("attributed conversions", "отнесено конверсий"),
    key__all=("Conversions", "Конверсий"),
    key__touched=("After a touch", "После касания"),
    key__channel=("{channel}, Shapley", "{channel}, Шепли"),
    key__last=("last touch {value}", "последнее касание: {value}"),
    method__last=("last touch", "последнее касание"),
    method__first=("first touch", "первое касание"),
    method__linear=("linear", "поровну"),
    method__time_decay=("time decay", "с затуханием"),
    method__markov=("Markov", "Марков"),
    method__shapley=("Shapley", "Шепли"),
    section__rules=("Conversions by channel and rule", "Конверсии по каналам и правилам"),
    rules__title=("Share of all conversions", "Доля всех конверсий"),
    rules__takeaway=(
        "If the rules differ widely for a channel, its position on the path matters; none of them says what it causes.",
        "Если правила для канала сильно расходятся, важно его место на пути, и ни одно не говорит, что он вызывает.",
    ),
    rules__table=("Conversions", "Конверсии"),
    rules__none=("(without a touch)", "(без касания)"),
    rules__sum=("Each column adds up to all conversions.", "Каждый столбец в сумме даёт все конверсии."),
    column__channel=("Channel", "Канал"),
    column__touches=("Touches", "Касаний"),
    column__cost=("Cost", "Затраты"),
    column__experiment=("Experiment", "Эксперимент"),
    section__costs=("Cost per conversion by rule", "Затраты на конверсию по правилам"),
    costs__note=(
        "Not a basis for budgeting: these are the conversions attributed to a channel, not those it has caused.",
        "Не основание для бюджета: это отнесённые к каналу конверсии, а не вызванные им.",
    ),
    section__experiments=("What experiments say", "Что говорят эксперименты"),
    experiments__lead=(
        "The line is what the channel has caused according to the experiment; the dots are what the rules attribute "
        "to it.",
        "Отрезок — то, что канал вызвал по данным эксперимента; точки — то, что дают ему правила.",
    ),
    experiments__title=("{channel}", "{channel}"),
    experiments__proof=("experiment", "эксперимент"),
)  # fmt: skip


def section(read: Reader, task: AttributionTask, voice: Voice) -> Page:
    """The page of an attribution task.

    Args:
        read: what the run wrote.
        task: the settings.
        voice: the language.
    """
    channels = read.table("channels").toPandas()
    answer = _answer(read, channels, voice)
    sections = [] if channels.empty else [_rules(channels, voice), _costs(channels, voice), _proofs(channels, voice)]
    return Page(
        task.title[voice.language], task.question[voice.language], answer, [one for one in sections if one.blocks]
    )


def _answer(read: Reader, channels: pd.DataFrame, voice: Voice) -> Answer:
    words, formats, verdict = voice.words, voice.formats, read.verdict
    title = words(f"answer.{verdict.verdict}")
    sentences = [voice.told(reason, "reason") for reason in verdict.reasons]
    if channels.empty:
        return Answer(verdict.verdict, title, sentences)
    shapley = channels[channels["method"] == "shapley"]
    known = shapley.dropna(subset="channel").sort_values("conversions", ascending=False, kind="stable")
    last = channels[channels["method"] == "last"].set_index("channel")["share"]
    top = known.iloc[0]
    share, last_share = formats.percent(top["share"]), formats.percent(last[top["channel"]])
    total, touched = shapley["conversions"].sum(), known["conversions"].sum()
    figures = [
        KeyFigure(words("key.all"), formats.integer(round(total))),
        KeyFigure(words("key.touched"), formats.percent(touched / total), formats.integer(round(touched))),
        *(
            KeyFigure(
                words("key.channel", channel=row["channel"]), formats.percent(row["share"]),
                words("key.last", value=formats.percent(last[row["channel"]])),
            )
            for row in known.head(3).to_dict("records")
        ),
    ]  # fmt: skip
    leading = words("answer.top", channel=top["channel"], share=share, last=last_share)
    return Answer(verdict.verdict, title, [leading, *sentences], figures)


def _pivot(channels: pd.DataFrame, column: str) -> pd.DataFrame:
    """Channels by rule, in descending order of Shapley value; conversions without a touch come last."""
    named = channels.fillna({"channel": ""})
    table = named.pivot_table(index="channel", columns="method", values=column, dropna=False)[list(METHODS)]
    by_size = table.sort_values("shapley", ascending=False, kind="stable")
    return by_size.loc[[*(one for one in by_size.index if one), *(one for one in by_size.index if not one)]]


def _rules(channels: pd.DataFrame, voice: Voice) -> Section:
    words, formats = voice.words, voice.formats
    share, count = _pivot(channels, "share"), _pivot(channels, "conversions")
    touches = channels.dropna(subset="channel").groupby("channel")["touches"].max()
    names = [words(f"method.{method}") for method in METHODS]
    labels = [channel or words("rules.none") for channel in share.index]
    title, takeaway = words("rules.title"), words("rules.takeaway")
    picture = heat_map(
        "rules", share.to_numpy(dtype=float), (labels, names), f"{title}. {takeaway}", lambda x: formats.percent(x, 0)
    )
    rows = [
        [
            head(channel or words("rules.none")), number(formats.integer(touches.get(channel))),
            *(number(formats.decimal(value, 1)) for value in count.loc[channel]),
        ]
        for channel in count.index
    ]  # fmt: skip
    titles = heads(words("column.channel"), words("column.touches"), *names)
    table = TableBlock(words("rules.table"), titles, rows, note=words("rules.sum"))
    return Section("rules", words("section.rules"), [Figure(title, takeaway, picture), table])


def _costs(channels: pd.DataFrame, voice: Voice) -> Section:
    words, formats = voice.words, voice.formats
    paid = channels.dropna(subset=["channel", "cost"])
    if paid.empty:
        return Section("costs", words("section.costs"), [])
    table = _pivot(paid, "cost_per_conversion")
    costs = paid.groupby("channel")["cost"].max()
    rows = [
        [head(channel), number(formats.money(costs[channel])), *(number(formats.money(x)) for x in table.loc[channel])]
        for channel in table.index
    ]
    titles = heads(words("column.channel"), words("column.cost"), *(words(f"method.{method}") for method in METHODS))
    return Section(
        "costs", words("section.costs"), [TableBlock(words("section.costs"), titles, rows, note=words("costs.note"))]
    )


def _proofs(channels: pd.DataFrame, voice: Voice) -> Section:
    words, formats = voice.words, voice.formats
    proved = channels.dropna(subset="experiment")
    blocks: list[Block] = [] if proved.empty else [Paragraph(words("experiments.lead"))]
    rows = []
    for place, (channel, found) in enumerate(proved.groupby("channel")):
        proof = found.iloc[0]
        points = [
            Dot(
                words("experiments.proof"), proof["experiment"], proof["experiment_low"], proof["experiment_high"],
                text=formats.decimal(proof["experiment"], 1), is_emphasised=True,
            ),
            *(
                Dot(words(f"method.{row['method']}"), row["conversions"], text=formats.decimal(row["conversions"], 1))
                for row in found.to_dict("records")
            ),
        ]  # fmt: skip
        picture = dots(f"proof-{place}", points, f"{channel}. {words('experiments.lead')}", formats.short)
        blocks.append(Figure(words("experiments.title", channel=channel), "", picture))
        interval = formats.interval(proof["experiment_low"], proof["experiment_high"], lambda x: formats.decimal(x, 1))
        by_method = found.set_index("method")["conversions"]
        cells = [_beside(by_method[m], proof["experiment_low"], proof["experiment_high"], voice) for m in METHODS]
        rows.append([head(str(channel)), number(formats.decimal(proof["experiment"], 1), interval), *cells])
    if rows:
        names = [words(f"method.{method}") for method in METHODS]
        titles = heads(words("column.channel"), words("column.experiment"), *names)
        blocks.append(TableBlock(words("section.experiments"), titles, rows))
    return Section("experiments", words("section.experiments"), blocks)


def _beside(value: float, low: float, high: float, voice: Voice) -> Cell:
    """The credit by a rule, marked if the experiment contradicts it."""
    if not is_number(value):
        return number(NOTHING)
    return number(voice.formats.decimal(value, 1), mark="" if low <= value <= high else "✗")
