"""The page of association rules."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from pyspark.sql import functions as F

from otklik.insights.rules.kind import RulesTask
from otklik.kind import Reader
from otklik.page.blocks import Block, Bullets, Cell, Figure, Section, TableBlock, head, heads, number
from otklik.page.figures import Dot, dots
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice, texts

#: Maximum number of rules in the figure and in the table, and of pairs in the table.
_IN_FIGURE, _IN_TABLE = 12, 25

TEXTS = texts(
    reason__few_baskets=(
        "{baskets} baskets are too few to look for rules; {minimum} are needed.",
        "Корзин слишком мало для поиска правил: {baskets}, нужно не меньше {minimum}.",
    ),
    reason__no_rules=(
        "In {baskets} baskets there is no rule with the minimum support and confidence beyond what basket size alone "
        "explains.",
        "В {baskets} корзинах нет правила с достаточной поддержкой и достоверностью, которое говорило бы больше, чем "
        "сам размер корзин.",
    ),
    reason__not_judged=(
        "{rules} rules were found in {baskets} baskets. Without a later period it is unknown whether they will hold.",
        "В {baskets} корзинах найдено правил: {rules}. Более позднего периода нет, поэтому неизвестно, сохранятся ли "
        "они.",
    ),
    reason__few_later_baskets=(
        "The later period has only {baskets} baskets; {minimum} are needed to evaluate the rules.",
        "В более позднем периоде всего {baskets} корзин; чтобы проверить правила, нужно не меньше {minimum}.",
    ),
    reason__does_not_hold=(
        "{held}% of the rules hold in {baskets} later baskets; {chance}% would if items were "
        "unrelated, and the difference is within the margin of error.",
        "В {baskets} более поздних корзинах выполняется {held} % правил; если бы товары не были связаны — "
        "{chance} %, разница не выходит за пределы погрешности.",
    ),
    reason__holds=(
        "{held}% of the rules hold in {baskets} later baskets, which were not used to find them; {chance}% "
        "would if items were unrelated.",
        "{held} % правил выполняется и в {baskets} более поздних корзинах, по которым их не искали; если бы товары "
        "не были связаны, было бы {chance} %.",
    ),
    finding__single_items=(
        "Baskets with one item only: {n}. They count in every share, but say nothing about combinations.",
        "Корзин с единственным товаром: {n}. Они входят во все доли, но о сочетаниях ничего не говорят.",
    ),
    finding__repeated_items=(
        "Lines that repeat an item of the same basket: {n}. An item counts once per basket.",
        "Строк, где товар повторяется в той же корзине: {n}. Товар считается в корзине один раз.",
    ),
    finding__huge_baskets=(
        "Baskets excluded because they contain more than {limit} different items: {n}; the largest has {most}.",
        "Исключены корзины, где больше {limit} разных товаров: {n}; в самой большой их {most}.",
    ),
    finding__many_items=(
        "{n} items reach `pair_support`; the table of pairs has the {limit} most common.",
        "Порога `pair_support` достигает {n} товаров; в таблице пар — {limit} самых частых.",
    ),
    finding__one_day=(
        "All baskets come from one day: there is no later period to evaluate the rules on.",
        "Все корзины за один день: более позднего периода для проверки правил нет.",
    ),
    answer__strongest=(
        "The strongest rule: of the baskets with {antecedent}, {confidence} also contain {consequent}, {lift} times "
        "as often as all baskets.",
        "Самое сильное правило: среди корзин, где есть {antecedent}, {confidence} содержат и {consequent} — в {lift} "
        "раза чаще, чем среди всех.",
    ),
    answer__apart=(
        "{n} pairs of common items are bought together less often than by chance; the clearest is {first} with "
        "{second}: lift {lift}.",
        "Пар частых товаров, которые покупают вместе реже, чем случайно: {n}; яснее всего {first} и {second}: лифт "
        "{lift}.",
    ),
    answer__no_apart=(
        "No pair of common items is bought together significantly less often than by chance.",
        "Нет пары частых товаров, которые покупали бы вместе значимо реже, чем случайно.",
    ),
    measure__rules=("rules kept", "оставлено правил"),
    measure__rules_held=("share of rules that hold later", "доля правил, которые выполняются позже"),
    key__rules=("Rules kept", "Оставлено правил"),
    key__held=("Hold later", "Выполняется позже"),
    key__lift=("Strongest lift", "Наибольший лифт"),
    key__apart=("Pairs with lift below 1", "Пар с лифтом меньше 1"),
    key__by_chance=("by chance up to {n}", "случайно до {n}"),
    key__unrelated=("unrelated items: {n}", "несвязанные товары: {n}"),
    section__rules=("What is bought together", "Что покупают вместе"),
    section__apart=("What is rarely bought together", "Что редко покупают вместе"),
    section__method=("How this was counted", "Как это посчитано"),
    figure__title=("The strongest rules", "Самые сильные правила"),
    figure__takeaway=(
        "A lift of 1 is independence; the line is the 95% interval.",
        "Лифт 1 означает независимость; отрезок — 95-процентный интервал.",
    ),
    figure__alt=("Lift of the strongest rules with intervals", "Лифт самых сильных правил с интервалами"),
    figure__found=("where found", "где найдено"),
    figure__later=("in the later period", "в более поздний период"),
    figure__chance=("independence", "независимость"),
    table__rules=("Top {n} of {all} rules kept", "Первые {n} из {all} оставленных правил"),
    table__none=("No rule was kept.", "Ни одно правило не оставлено."),
    table__antecedent=("A basket with", "В корзине есть"),
    table__consequent=("also contains", "есть и"),
    table__both=("Baskets", "Корзин"),
    table__confidence=("Confidence", "Достоверность"),
    table__lift=("Lift", "Лифт"),
    table__later=("Lift later", "Лифт позже"),
    table__unrelated=("If unrelated", "Без связи"),
    table__q=("q", "q"),
    table__pairs=("Top {n} of {all} pairs", "Первые {n} из {all} пар"),
    table__no_pairs=("There is no such pair.", "Таких пар нет."),
    table__first=("Item", "Товар"),
    table__second=("and", "и"),
    table__expected=("By chance", "Случайно"),
    method__support=(
        "A rule needs {support} of {baskets} baskets with all of its items, and {confidence} of the baskets with the "
        "antecedent must contain the consequent.",
        "Правилу нужно {support} из {baskets} корзин со всеми его товарами, и среди корзин с посылкой следствие должно "
        "быть в {confidence}.",
    ),
    method__pruned=(
        "{all} rules reach both. Dropped: {redundant} because a more general rule has at least the same confidence, "
        "and {others} because they are not significant or basket size alone explains them.",
        "Обоих порогов достигает правил: {all}. Отброшено {redundant}, потому что более общее правило не менее "
        "достоверно, и {others}, потому что они незначимы или их объясняет сам размер корзин.",
    ),
    method__test=(
        "Significance: {test}, two-sided, q-values by Benjamini and Hochberg up to {rate}, over all rules with the "
        "minimum support, and over all pairs.",
        "Значимость: {test}, двусторонний; q-значения по Бенджамини и Хохбергу до {rate}, по всем правилам с "
        "достаточной поддержкой и по всем парам.",
    ),
    method__unrelated=(
        "Large baskets contain more of everything, so even unrelated items have lifts above 1. “Unrelated items” are "
        "the result of shuffling items among baskets while every basket keeps its size and every item its frequency.",
        "В больших корзинах больше всех товаров, поэтому лифт выше 1 бывает и у несвязанных товаров. «Несвязанные "
        "товары» — то, что дало бы перемешивание товаров между корзинами, если размер каждой корзины и частота "
        "каждого товара не меняются.",
    ),
    method__later=(
        "Rules were found in the earlier baskets and evaluated on the last {share} in time; a rule holds there if its "
        "lift is on the same side of 1.",
        "Правила найдены по более ранним корзинам и проверены на последних {share}; правило выполняется, если лифт там "
        "по ту же сторону от 1.",
    ),
    test__fisher=("Fisher's exact test", "точный критерий Фишера"),
    test__chi_square=("Pearson's chi-square test", "критерий хи-квадрат Пирсона"),
)


def section(read: Reader, task: RulesTask, voice: Voice) -> Page:
    """The page: items bought together, items rarely bought together, and whether that holds later."""
    kept = read.table("rules").where("is_kept").orderBy("place").limit(_IN_TABLE).toPandas()
    pairs = read.table("pairs").where("is_significant AND lift < 1")
    apart = pairs.orderBy("p_value", "first", "second").limit(_IN_TABLE).toPandas()
    return Page(
        task.title[voice.language],
        task.question[voice.language],
        _answer(read, kept, apart, voice),
        [
            Section("rules", voice.words("section.rules"), _rules(read, kept, voice)),
            Section("apart", voice.words("section.apart"), [_pairs(read, apart, voice)]),
            Section("method", voice.words("section.method"), [Bullets(_method(read, task, voice))]),
        ],
    )


def _answer(read: Reader, kept: pd.DataFrame, apart: pd.DataFrame, voice: Voice) -> Answer:
    words, formats = voice.words, voice.formats
    sentences = [voice.told(reason, "reason") for reason in read.verdict.reasons]
    if not kept.empty:
        first = kept.iloc[0]
        sentences.append(
            words(
                "answer.strongest",
                antecedent=_listed(first["antecedent"]),
                consequent=first["consequent"],
                confidence=formats.percent(first["confidence"], 0),
                lift=formats.decimal(first["lift"], 1),
            )
        )
    if apart.empty:
        sentences.append(words("answer.no_apart"))
    else:
        first = apart.iloc[0]
        sentences.append(
            words(
                "answer.apart",
                n=_value(read, "pairs_apart", voice),
                first=first["first"],
                second=first["second"],
                lift=formats.percent(first["lift"], 0),
            )
        )
    verdict = read.verdict.verdict
    return Answer(
        verdict,
        words(f"verdict.{verdict}"),
        sentences,
        _key_figures(read, kept, voice),
        [voice.told(finding) for finding in read.findings if finding.is_warning],
    )


def _value(read: Reader, name: str, voice: Voice) -> str:
    measure = read.measure(name, split="earlier")
    return voice.formats.integer(measure.value if measure else None)


def _key_figures(read: Reader, kept: pd.DataFrame, voice: Voice) -> list[KeyFigure]:
    words, formats = voice.words, voice.formats
    figures = []
    for key, name in (("key.rules", "rules"), ("key.apart", "pairs_apart")):
        measure = read.measure(name, split="earlier")
        chance = formats.integer(measure.baseline if measure else None)
        figures.append(KeyFigure(words(key), _value(read, name, voice), words("key.by_chance", n=chance)))
    held = read.measure("rules_held", split="later")
    if held is not None and held.value is not None:
        interval = formats.percent_interval(held.low, held.high)
        chance = words("key.unrelated", n=formats.percent(held.baseline, 0))
        figures.insert(1, KeyFigure(words("key.held"), formats.percent(held.value, 0), f"{interval}\n{chance}"))
    if not kept.empty:
        first = kept.iloc[0]
        interval = formats.interval(first["lift_low"], first["lift_high"], lambda value: formats.decimal(value, 1))
        figures.append(KeyFigure(words("key.lift"), formats.decimal(first["lift"], 1), interval))
    return figures


def _rules(read: Reader, kept: pd.DataFrame, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    if kept.empty:
        return [Bullets([words("table.none")])]
    has_later = kept["later_lift"].notna().any()
    names = [f"{_listed(antecedent)} → {consequent}" for antecedent, consequent in _sides(kept)]
    rows = [
        Dot(name, lift, low, high, later, formats.decimal(lift, 1))
        for name, lift, low, high, later in zip(
            names, kept["lift"], kept["lift_low"], kept["lift_high"], kept["later_lift"].astype(float), strict=True
        )
    ]
    picture = dots(
        "rules", rows[:_IN_FIGURE], words("figure.alt"), formats.short,
        words=(words("figure.found"), words("figure.later") if has_later else ""),
        reference=(1.0, words("figure.chance")),
    )  # fmt: skip
    columns = [
        "antecedent",
        "consequent",
        "both",
        "confidence",
        "lift",
        "unrelated",
        *(["later"] if has_later else []),
        "q",
    ]
    table = TableBlock(
        words("table.rules", n=formats.integer(len(kept)), all=_value(read, "rules", voice)),
        heads(*(words(f"table.{name}") for name in columns), numbers_from=2),
        [
            [
                head(_listed(row["antecedent"])),
                Cell(row["consequent"]),
                number(formats.integer(row["baskets_both"])),
                number(formats.percent(row["confidence"], 0)),
                number(formats.decimal(row["lift"], 1), _interval(row, voice, 1)),
                number(formats.decimal(row["lift_by_size"], 1)),
                *([number(formats.decimal(row["later_lift"], 1))] if has_later else []),
                number(_q_value(row["q_value"], voice)),
            ]
            for row in kept.to_dict("records")
        ],
    )
    return [Figure(words("figure.title"), words("figure.takeaway"), picture), table]


def _pairs(read: Reader, apart: pd.DataFrame, voice: Voice) -> Block:
    words, formats = voice.words, voice.formats
    if apart.empty:
        return Bullets([words("table.no_pairs")])
    has_later = apart["later_lift"].notna().any()
    columns = ["first", "second", "both", "expected", "lift", *(["later"] if has_later else []), "q"]
    return TableBlock(
        words("table.pairs", n=formats.integer(len(apart)), all=_value(read, "pairs_apart", voice)),
        heads(*(words(f"table.{name}") for name in columns), numbers_from=2),
        [
            [
                head(row["first"]),
                Cell(row["second"]),
                number(formats.integer(row["baskets_both"])),
                number(formats.integer(row["baskets_first"] * row["baskets_second"] / row["baskets"])),
                number(formats.decimal(row["lift"], 2), _interval(row, voice, 2)),
                *([number(formats.decimal(row["later_lift"], 2))] if has_later else []),
                number(_q_value(row["q_value"], voice)),
            ]
            for row in apart.to_dict("records")
        ],
    )


def _method(read: Reader, task: RulesTask, voice: Voice) -> list[str]:
    words, formats = voice.words, voice.formats
    counts = read.table("rules").agg(
        F.count("*").alias("all"),
        F.count_if(F.expr("general IS NOT NULL")).alias("redundant"),
        F.count_if(F.expr("NOT is_kept AND general IS NULL")).alias("others"),
    )
    numbers = {name: formats.integer(count) for name, count in counts.collect()[0].asDict().items()}
    rules = read.measure("rules", split="earlier")
    said = [
        words(
            "method.support",
            support=formats.percent(task.minimum_support),
            baskets=formats.integer(rules.rows if rules else None),
            confidence=formats.percent(task.minimum_confidence, 0),
        ),
        words("method.pruned", **numbers),
        words("method.test", test=words(f"test.{task.test}"), rate=formats.percent(task.false_discovery_rate, 0)),
        words("method.unrelated"),
    ]
    if read.measure("rules_held", split="later") is not None:
        said.append(words("method.later", share=formats.percent(task.later_share, 0)))
    return said


def _sides(rules: pd.DataFrame) -> zip[tuple[list[str], str]]:
    return zip(rules["antecedent"], rules["consequent"], strict=True)


def _listed(items: list[str]) -> str:
    return ", ".join(items)


def _interval(row: Mapping[Hashable, Any], voice: Voice, digits: int) -> str:
    return voice.formats.interval(row["lift_low"], row["lift_high"], lambda value: voice.formats.decimal(value, digits))


def _q_value(value: float, voice: Voice) -> str:
    """Format a q-value; below .001 as an order of magnitude."""
    if value >= 0.001:
        return voice.formats.decimal(value, 3)
    return "< 10⁻³⁰⁰" if value < 1e-300 else f"10{_raised(math.floor(math.log10(value)))}"


def _raised(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
