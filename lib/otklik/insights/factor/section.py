"""The page of factors."""

from __future__ import annotations

import numpy as np
import pandas as pd

from otklik.insights.factor.kind import FactorTask
from otklik.kind import Reader
from otklik.page.blocks import Block, Bullets, Figure, Section, TableBlock, head, heads, number
from otklik.page.figures import Series, heat_map, lines
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice, texts

TEXTS = texts(
    reason__few_rows=(
        "{rows} customers have all properties; {minimum} are needed.",
        "Все признаки есть у {rows} клиентов; нужно не меньше {minimum}.",
    ),
    reason__nothing_carries=(
        "No factor is retained: the {properties} properties vary together no more than unrelated ones would.",
        "Ни один фактор не выделяется: {properties} признаков связаны не сильнее, чем несвязанные.",
    ),
    reason__nothing_stable=(
        "None of the {shown} factors is replicated in the other half of the customers.",
        "Ни один из факторов ({shown}) не находится вновь на другой половине клиентов.",
    ),
    reason__factors_found=(
        "{shown} factors explain {percent}% of the variance of {properties} properties.",
        "Факторов: {shown}; они объясняют {percent} % дисперсии {properties} признаков.",
    ),
    reason__partly_stable=(
        "Only {stable} of the {shown} factors are replicated in the other half of the customers.",
        "На другой половине клиентов вновь находятся только {stable} из {shown} факторов.",
    ),
    reason__more_than_carry=(
        "{shown} factors were requested; parallel analysis retains {carrying}.",
        "Задано факторов: {shown}; по параллельному анализу значимы: {carrying}.",
    ),
    finding__constant=(
        "{subject} has the same value for all customers and was excluded.",
        "{subject} имеет одно и то же значение у всех клиентов и не учтён.",
    ),
    finding__incomplete=(
        "{n} of {rows} customers lack a property and were excluded.",
        "У {n} из {rows} клиентов нет какого-либо признака; они не учтены.",
    ),
    measure__share=("share of variance explained", "доля объяснённой дисперсии"),
    measure__carrying_factors=("retained factors", "значимых факторов"),
    answer__factor=(
        "Factor {place} ({share} of the variance) represents {name}.",
        "Фактор {place} ({share} дисперсии) — это {name}.",
    ),
    key__share=("Variance explained", "Объяснённая дисперсия"),
    key__unrelated=("unrelated: {value}", "несвязанные: {value}"),
    key__carrying=("Retained factors", "Значимых факторов"),
    key__of=("of {n} properties", "из {n} признаков"),
    key__congruence=("Least stable factor", "Наименее устойчивый фактор"),
    key__halves=("congruence of halves", "конгруэнтность половин"),
    section__loadings=("What the factors represent", "Что стоит за факторами"),
    section__number=("How many factors to retain", "Сколько факторов значимы"),
    section__method=("How this was counted", "Как это посчитано"),
    loadings__title=("Loadings", "Нагрузки"),
    loadings__takeaway=(
        "The correlation of each property with each factor; properties that load on the same factor vary together.",
        "Корреляция каждого признака с каждым фактором; признаки с большой нагрузкой на один фактор меняются вместе.",
    ),
    loadings__alt=("Loadings of the properties on the factors", "Нагрузки признаков на факторы"),
    loadings__factor=("Factor {place}", "Фактор {place}"),
    table__factors=("The factors", "Факторы"),
    table__factor=("Factor", "Фактор"),
    table__share=("Share of variance", "Доля дисперсии"),
    table__congruence=("Congruence of halves", "Конгруэнтность половин"),
    table__chance=("If unrelated", "Без связи"),
    number__title=("Variance of each component", "Дисперсия каждой компоненты"),
    number__takeaway=(
        "A component is retained while its line is above that of unrelated properties: {n} of {all}.",
        "Компонента значима, пока её линия выше линии несвязанных признаков: {n} из {all}.",
    ),
    number__alt=(
        "Eigenvalues compared with those of unrelated properties",
        "Собственные значения рядом со значениями несвязанных признаков",
    ),
    number__data=("these properties", "эти признаки"),
    number__noise=("unrelated properties, 95th percentile", "несвязанные признаки, 95-й процентиль"),
    number__component=("component", "компонента"),
    number__eigenvalue=("eigenvalue", "собственное значение"),
    method__pca=(
        "Principal components of the correlation matrix of {rows} customers, rotated by varimax with Kaiser's "
        "normalisation. Scores have mean 0 and variance 1 and are uncorrelated.",
        "Главные компоненты корреляционной матрицы по {rows} клиентам, повёрнутые методом варимакс с нормализацией "
        "Кайзера. Значения факторов имеют среднее 0, дисперсию 1 и не коррелируют.",
    ),
    method__log=("Log-transformed: {names}.", "В логарифмах: {names}."),
    method__parallel=(
        "Number of factors: parallel analysis (Horn 1965) against normal noise with as many rows and properties.",
        "Число значимых: параллельный анализ (Хорн, 1965) — сравнение с нормальным шумом того же размера.",
    ),
    method__congruence=(
        "Stability: Tucker's congruence between random halves of the customers; 0.85 or more is fair; at 0.95 or more "
        "the factors count as equal. A description of what varies together does not say what causes what.",
        "Устойчивость: конгруэнтность Такера между случайными половинами клиентов; от 0,85 она приемлема, от 0,95 "
        "факторы практически совпадают. Описание того, что меняется вместе, не говорит о причинах.",
    ),
)


def section(read: Reader, task: FactorTask, voice: Voice) -> Page:
    """The page: the factors, their number, and their stability."""
    words = voice.words
    factors = read.table("factors").orderBy("factor").toPandas()
    loadings = read.table("loadings").orderBy("factor", "property").toPandas()
    eigenvalues = read.table("eigenvalues").orderBy("place").toPandas()
    sections = []
    if not factors.empty:
        sections = [
            Section("loadings", words("section.loadings"), _loadings(factors, loadings, task, voice)),
            Section("number", words("section.number"), [_scree(eigenvalues, voice)]),
            Section("method", words("section.method"), [Bullets(_method(read, task, voice))]),
        ]
    answer = _answer(read, factors, loadings, eigenvalues, task, voice)
    return Page(task.title[voice.language], task.question[voice.language], answer, sections)


def _answer(
    read: Reader,
    factors: pd.DataFrame,
    loadings: pd.DataFrame,
    eigenvalues: pd.DataFrame,
    task: FactorTask,
    voice: Voice,
) -> Answer:
    words, formats = voice.words, voice.formats
    sentences = [voice.told(reason, "reason") for reason in read.verdict.reasons]
    if read.verdict.verdict == "descriptive":
        sentences += [
            words(
                "answer.factor",
                place=row["factor"],
                share=formats.percent(row["share"], 0),
                name=_titled(loadings[loadings["factor"] == row["factor"]], task, voice),
            )
            for _, row in factors.head(5).iterrows()
        ]
    figures = []
    share = read.measure("share")
    if share is not None:
        chance = words("key.unrelated", value=formats.percent(share.baseline, 0))
        interval = formats.percent_interval(share.low, share.high)
        worst = factors.sort_values("congruence").to_dict("records")[0]
        ends = formats.interval(worst["congruence_low"], worst["congruence_high"], lambda x: formats.decimal(x, 3))
        figures = [
            KeyFigure(words("key.share"), formats.percent(share.value, 0), f"{interval}\n{chance}"),
            KeyFigure(
                words("key.carrying"),
                formats.integer(eigenvalues["carries"].sum()),
                words("key.of", n=len(eigenvalues)),
            ),
            KeyFigure(
                words("key.congruence"),
                formats.decimal(worst["congruence"], 3),
                "\n".join(
                    [
                        f"{words('key.halves')} {ends}",
                        words("key.unrelated", value=formats.decimal(worst["congruence_chance"], 2)),
                    ]
                ),
            ),
        ]
    verdict = read.verdict.verdict
    warnings = [voice.told(finding) for finding in read.findings if finding.is_warning]
    return Answer(verdict, words(f"verdict.{verdict}"), sentences, figures, warnings)


def _titled(loadings: pd.DataFrame, task: FactorTask, voice: Voice) -> str:
    """The properties that name a factor, with their titles on the page."""
    order = loadings.assign(size=loadings["loading"].abs()).sort_values(["size", "property"], ascending=[False, True])
    chosen = order[order["size"] >= task.named_from].head(3)
    chosen = order.head(1) if chosen.empty else chosen
    return ", ".join(
        f"{'' if loading >= 0 else '−'}{_title(name, task, voice)}"
        for name, loading in zip(chosen["property"], chosen["loading"], strict=True)
    )


def _title(name: str, task: FactorTask, voice: Voice) -> str:
    return task.titles[name][voice.language] if name in task.titles else name


def _loadings(factors: pd.DataFrame, loadings: pd.DataFrame, task: FactorTask, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    table = loadings.pivot(index="property", columns="factor", values="loading")
    # Grouped by factor, the largest loading first.
    main = table.abs().to_numpy().argmax(axis=1)
    table = table.iloc[np.lexsort((-table.abs().to_numpy().max(axis=1), main))]
    picture = heat_map(
        "loadings",
        table.to_numpy(dtype=float),
        (
            [_title(name, task, voice) for name in table.index],
            [words("loadings.factor", place=place) for place in table.columns],
        ),
        words("loadings.alt"),
        lambda value: formats.decimal(value, 2),
    )
    rows = [
        [
            head(
                words("loadings.factor", place=row["factor"]),
                _titled(loadings[loadings["factor"] == row["factor"]], task, voice),
            ),
            number(formats.percent(row["share"])),
            number(
                formats.decimal(row["congruence"], 3),
                formats.interval(
                    row["congruence_low"], row["congruence_high"], lambda value: formats.decimal(value, 3)
                ),
            ),
            number(formats.decimal(row["congruence_chance"], 3)),
        ]
        for row in factors.to_dict("records")
    ]
    columns = heads(*(words(f"table.{name}") for name in ("factor", "share", "congruence", "chance")))
    return [
        Figure(words("loadings.title"), words("loadings.takeaway"), picture),
        TableBlock(words("table.factors"), columns, rows),
    ]


def _scree(eigenvalues: pd.DataFrame, voice: Voice) -> Figure:
    words, formats = voice.words, voice.formats
    places = eigenvalues["place"].to_numpy(dtype=float)
    noise = Series(words("number.noise"), places, eigenvalues["chance"].to_numpy(), role="baseline")
    found = Series(
        words("number.data"), places, eigenvalues["eigenvalue"].to_numpy(), eigenvalues["low"].to_numpy(),
        eigenvalues["high"].to_numpy(), role="main",
    )  # fmt: skip
    picture = lines(
        "scree", [noise, found], words("number.alt"), (formats.short, formats.short),
        (words("number.component"), words("number.eigenvalue")),
        ticks=[(place, str(int(place))) for place in places],
    )  # fmt: skip
    carrying = formats.integer(eigenvalues["carries"].sum())
    takeaway = words("number.takeaway", n=carrying, all=formats.integer(len(eigenvalues)))
    return Figure(words("number.title"), takeaway, picture)


def _method(read: Reader, task: FactorTask, voice: Voice) -> list[str]:
    words = voice.words
    share = read.measure("share")
    said = [words("method.pca", rows=voice.formats.integer(share.rows if share else None))]
    if task.log_scale:
        said.append(words("method.log", names=", ".join(_title(name, task, voice) for name in task.log_scale)))
    return [*said, words("method.parallel"), words("method.congruence")]
