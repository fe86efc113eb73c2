"""The page of dependencies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from otklik.insights.dependency.kind import DependencyTask
from otklik.kind import Reader
from otklik.page.blocks import Block, Bullets, Cell, Figure, Section, TableBlock, head, heads, number
from otklik.page.figures import Dot, dots
from otklik.page.formats import is_number
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice, texts

#: Maximum number of pairs in the figure, and of properties whose levels are plotted, per outcome.
_IN_FIGURE, _PROFILED = 15, 3

TEXTS = texts(
    reason__few_rows=(
        "{rows} customers are too few; {minimum} are needed.",
        "Клиентов слишком мало: {rows}; нужно не меньше {minimum}.",
    ),
    reason__nothing_found=(
        "Of {pairs} pairs of a property and an outcome, {significant} are significantly associated; with the outcome "
        "permuted at random, {permuted}.",
        "Из {pairs} пар «признак — исход» значимо связаны {significant}; при случайной перестановке исхода — "
        "{permuted}.",
    ),
    reason__confounded=(
        "{significant} of {pairs} pairs are associated, but none within strata of the confounders.",
        "Значимо связаны {significant} пар из {pairs}, но после поправки на вмешивающиеся признаки — ни одной.",
    ),
    reason__found=(
        "{significant} of {pairs} pairs of a property and an outcome are significantly associated; with the outcome "
        "permuted at random, {permuted}.",
        "Из {pairs} пар «признак — исход» значимо связаны {significant}; при случайной перестановке исхода — "
        "{permuted}.",
    ),
    reason__found_given=(
        "{given} of them also within strata of the confounders.",
        "Из них {given} — и среди клиентов с одинаковыми вмешивающимися признаками.",
    ),
    finding__constant=(
        "{subject} has a single level and was excluded.",
        "{subject} имеет единственное значение и не учтён.",
    ),
    finding__missing=(
        "{subject} is missing for {n} of {rows} customers; its pairs use the others.",
        "{subject} пуст у {n} из {rows} клиентов; его пары считаются по остальным.",
    ),
    measure__significant=("significant pairs", "значимых пар"),
    answer__strongest=(
        "Strongest: {property} with {outcome} (Cramér's V {value}, {chance} by chance).",
        "Сильнее всего: {property} и {outcome} (V Крамера {value}, случайно {chance}).",
    ),
    answer__level=(
        "Where {property} is {level}, {outcome} is {answer} for {value} of customers; among all, for {overall}.",
        "Где {property} = {level}, там {outcome} = {answer} у {value} клиентов; среди всех — у {overall}.",
    ),
    answer__cause=(
        "Association does not mean causation.",
        "Связь не означает причины.",
    ),
    key__significant=("Significant pairs", "Значимых пар"),
    key__permuted=("of {pairs}; permuted: {n}", "из {pairs}; при перестановке: {n}"),
    key__given=("Given the confounders", "При равных прочих"),
    key__confounders=("within strata of {names}", "равные: {names}"),
    key__strongest=("Strongest V", "Наибольшее V"),
    section__strength=("Associations with {outcome}", "Что связано с: {outcome}"),
    section__method=("How this was counted", "Как это посчитано"),
    strength__title=("Strength of association", "Сила каждой связи"),
    strength__takeaway=(
        "Cramér's V from 0 (independent) to 1, with 95% intervals.",
        "V Крамера от 0 (независимость) до 1, с 95-процентными интервалами.",
    ),
    strength__alt=("Cramér's V of each property with {outcome}", "V Крамера каждого признака с: {outcome}"),
    strength__data=("this data", "эти данные"),
    strength__chance=("by chance", "случайно"),
    profile__title=("{outcome} by {property}", "{outcome} по признаку «{property}»"),
    profile__share=("Share with {outcome} = {level}.", "Доля с {outcome} = {level}."),
    profile__rank=(
        "Mean rank of {outcome} among all customers, from 0 to 1.",
        "Средний ранг {outcome} среди всех клиентов, от 0 до 1.",
    ),
    profile__overall=("all customers", "все клиенты"),
    table__caption=("All pairs", "Все пары"),
    table__property=("Property", "Признак"),
    table__spearman=("Spearman", "Спирмен"),
    table__v=("Cramér's V", "V Крамера"),
    table__chance=("By chance", "Случайно"),
    table__information=("Mutual information, nats", "Взаимная информация, наты"),
    table__q=("q", "q"),
    table__v_given=("V, given the confounders", "V при равных прочих"),
    table__q_given=("q, given the confounders", "q при равных прочих"),
    table__note=(
        "Faded: not significant. Spearman's correlation misses non-monotonic associations; Cramér's V does not.",
        "Бледным: незначимо. Корреляция Спирмена не видит связи, которая растёт и вновь падает; V Крамера видит.",
    ),
    method__parts=(
        "Numbers are cut into {bins} bins of about equal size; rare levels are merged into (other). Significance: "
        "Pearson's chi-square test, q-values by Benjamini and Hochberg up to {rate} over all pairs.",
        "Числа разбиты на {bins} частей примерно равного объёма, редкие уровни объединены в (other). Значимость: "
        "критерий хи-квадрат Пирсона, q-значения по Бенджамини и Хохбергу до {rate} по всем парам.",
    ),
    method__given=(
        "Given the confounders: within strata of {names}, by the Cochran-Mantel-Haenszel test of general association.",
        "При равных прочих: внутри страт по {names}, критерий Кокрана — Мантеля — Хензеля.",
    ),
    method__permuted=(
        "“Permuted”: tables with the same margins and otherwise random, as if the outcomes were reassigned among "
        "customers.",
        "«При перестановке»: таблицы с теми же итогами, в остальном случайные, как если бы исходы раздали другим "
        "клиентам.",
    ),
)


def section(read: Reader, task: DependencyTask, voice: Voice) -> Page:
    """The page: the properties associated with each outcome, and the outcome at each level of the strongest ones."""
    words = voice.words
    pairs = read.table("dependencies").toPandas().sort_values(["cramers_v", "property"], ascending=[False, True])
    profiles = read.table("profiles").toPandas().sort_values(["property", "outcome", "place"])
    sections = [
        Section(
            f"outcome-{place}",
            words("section.strength", outcome=_title(outcome, task, voice)),
            _of_outcome(place, pairs[pairs["outcome"] == outcome], profiles, task, voice),
        )
        for place, outcome in enumerate(task.outcomes)
        if (pairs["outcome"] == outcome).any()
    ]
    sections.append(Section("method", words("section.method"), [Bullets(_method(task, voice))]))
    answer = _answer(read, pairs, profiles, task, voice)
    return Page(task.title[voice.language], task.question[voice.language], answer, sections)


def _answer(read: Reader, pairs: pd.DataFrame, profiles: pd.DataFrame, task: DependencyTask, voice: Voice) -> Answer:
    words, formats = voice.words, voice.formats
    verdict = read.verdict.verdict
    sentences = [voice.told(reason, "reason") for reason in read.verdict.reasons]
    figures = []
    count = read.measure("significant")
    if count is not None:
        note = words("key.permuted", pairs=len(pairs), n=formats.integer(count.baseline))
        figures.append(KeyFigure(words("key.significant"), formats.integer(count.value), note))
        given = read.measure("significant_given")
        if given is not None:
            names = ", ".join(_title(name, task, voice) for name in task.confounders)
            note = words("key.confounders", names=names)
            figures.append(KeyFigure(words("key.given"), formats.integer(given.value), note))
        first = pairs.to_dict("records")[0]
        figures.append(
            KeyFigure(words("key.strongest"), formats.decimal(first["cramers_v"], 2), _v_interval(first, voice))
        )
        if verdict == "descriptive":
            sentences += _strongest(first, profiles, task, voice)
    warnings = [voice.told(finding) for finding in read.findings if finding.is_warning]
    return Answer(verdict, words(f"verdict.{verdict}"), sentences, figures, warnings)


def _strongest(pair: Mapping[Any, Any], profiles: pd.DataFrame, task: DependencyTask, voice: Voice) -> list[str]:
    """The strongest pair, and its level that differs most from all customers."""
    words, formats = voice.words, voice.formats
    name, outcome = (_title(pair[column], task, voice) for column in ("property", "outcome"))
    value, chance = (formats.decimal(pair[column], 2) for column in ("cramers_v", "cramers_v_chance"))
    said = [words("answer.strongest", property=name, outcome=outcome, value=value, chance=chance)]
    levels = profiles[(profiles["property"] == pair["property"]) & (profiles["outcome"] == pair["outcome"])]
    shares = levels[levels["outcome_level"] != ""]
    if not shares.empty:
        surest = shares.assign(gap=(shares["value"] - shares["overall"]).abs()).sort_values("gap", kind="stable")
        level = surest.to_dict("records")[-1]
        said.append(
            words(
                "answer.level",
                property=name,
                level=level["level"],
                outcome=outcome,
                answer=level["outcome_level"],
                value=formats.percent(level["value"]),
                overall=formats.percent(level["overall"]),
            )
        )
    return [*said, words("answer.cause")]


def _of_outcome(
    place: int, pairs: pd.DataFrame, profiles: pd.DataFrame, task: DependencyTask, voice: Voice
) -> list[Block]:
    words, formats = voice.words, voice.formats
    records = pairs.to_dict("records")
    outcome = _title(records[0]["outcome"], task, voice)
    rows = [
        Dot(
            _title(row["property"], task, voice), row["cramers_v"], row["cramers_v_low"], row["cramers_v_high"],
            row["cramers_v_chance"], formats.decimal(row["cramers_v"], 2), bool(row["is_significant"]),
        )
        for row in records[:_IN_FIGURE]
    ]  # fmt: skip
    picture = dots(
        f"strength-{place}", rows, words("strength.alt", outcome=outcome), formats.short,
        words=(words("strength.data"), words("strength.chance")),
    )  # fmt: skip
    blocks: list[Block] = [Figure(words("strength.title"), words("strength.takeaway"), picture)]
    for rank, row in enumerate(records[:_PROFILED]):
        levels = profiles[(profiles["property"] == row["property"]) & (profiles["outcome"] == row["outcome"])]
        if row["is_significant"]:
            blocks += _profile(f"profile-{place}-{rank}", levels, task, voice)
    return [*blocks, _table(records, bool(task.confounders), task, voice)]


def _profile(name: str, levels: pd.DataFrame, task: DependencyTask, voice: Voice) -> list[Block]:
    """The outcome at each level of a property; for an outcome with many levels, its most common one."""
    words, formats = voice.words, voice.formats
    chosen = levels[levels["outcome_level"] == levels.loc[levels["overall"].idxmax(), "outcome_level"]]
    records = chosen.to_dict("records")
    first = records[0]
    outcome, title = (_title(first[column], task, voice) for column in ("outcome", "property"))
    is_share = first["outcome_level"] != ""

    def write(value: float) -> str:
        return formats.percent(value, 0) if is_share else formats.decimal(value, 2)

    takeaway = (
        words("profile.share", outcome=outcome, level=first["outcome_level"])
        if is_share
        else words("profile.rank", outcome=outcome)
    )
    rows = [Dot(row["level"], row["value"], row["low"], row["high"], text=write(row["value"])) for row in records]
    heading = words("profile.title", outcome=outcome, property=title)
    picture = dots(name, rows, heading, write, reference=(first["overall"], words("profile.overall")))
    return [Figure(heading, takeaway, picture)]


def _table(records: list[dict[Any, Any]], has_confounders: bool, task: DependencyTask, voice: Voice) -> TableBlock:
    words, formats = voice.words, voice.formats
    names = ["property", "spearman", "v", "chance", "information", "q"]
    names += ["v_given", "q_given"] if has_confounders else []
    rows = []
    for row in records:
        cells: list[Cell] = [
            head(_title(row["property"], task, voice)),
            number(
                formats.decimal(row["spearman"], 3),
                formats.interval(row["spearman_low"], row["spearman_high"], lambda value: formats.decimal(value, 2)),
            ),
            number(formats.decimal(row["cramers_v"], 3), _v_interval(row, voice)),
            number(formats.decimal(row["cramers_v_chance"], 3)),
            number(formats.decimal(row["mutual_information"], 4)),
            number(_small(row["q_value"], voice)),
        ]
        if has_confounders:
            by_chance = f"{words('strength.chance')} {formats.decimal(row['cramers_v_given_chance'], 3)}"
            cells += [
                number(formats.decimal(row["cramers_v_given"], 3), by_chance),
                number(_small(row["q_given"], voice)),
            ]
        rows.append(cells)
    faded = frozenset(place for place, row in enumerate(records) if not row["is_significant"])
    columns = heads(*(words(f"table.{name}") for name in names))
    return TableBlock(words("table.caption"), columns, rows, note=words("table.note"), faded=faded)


def _v_interval(row: Mapping[Any, Any], voice: Voice) -> str:
    return voice.formats.interval(
        row["cramers_v_low"], row["cramers_v_high"], lambda value: voice.formats.decimal(value, 2)
    )


def _small(value: float | None, voice: Voice) -> str:
    if value is not None and is_number(value) and value < 0.001:
        return f"< {voice.formats.decimal(0.001, 3)}"
    return voice.formats.decimal(value, 3)


def _title(name: str, task: DependencyTask, voice: Voice) -> str:
    return task.titles[name][voice.language] if name in task.titles else name


def _method(task: DependencyTask, voice: Voice) -> list[str]:
    words = voice.words
    rate = voice.formats.percent(task.false_discovery_rate, 0)
    said = [words("method.parts", bins=task.bins, rate=rate), words("method.permuted")]
    if task.confounders:
        names = ", ".join(_title(name, task, voice) for name in task.confounders)
        said.append(words("method.given", names=names))
    return said
