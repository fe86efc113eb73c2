"""The page of a follow-up: results of the last campaign, its prediction, and advice for the next one."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import pandas as pd

from otklik.evidence.follow_up.kind import FollowUpTask, split_of
from otklik.kind import Finding, Reader
from otklik.page.blocks import Bullets, Cell, Figure, Section, TableBlock, head, heads, number
from otklik.page.figures import Dot, Series, dots, lines
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice, texts

TEXTS = texts(
    points=("pp", "п. п."),
    answer__gain=("{campaign}: the campaign has paid", "{campaign}: кампания окупилась"),
    answer__no_gain=("{campaign}: the campaign has not paid", "{campaign}: кампания не окупилась"),
    answer__too_little_data=("Too little data to tell", "Данных слишком мало для вывода"),
    answer__invalid=("{campaign}: nothing can be concluded", "{campaign}: сделать вывод нельзя"),
    reason__profit_came=(
        "Beyond what would have happened anyway, the contacts of {subject} earned {value} [{low} … {high}] after their "
        "cost; the list predicted {promised}.",
        "Сверх того, что было бы и так, контакты кампании {subject} принесли {value} [{low} … {high}] за вычетом их "
        "стоимости; по прогнозу списка — {promised}.",
    ),
    reason__profit_lost=(
        "The contacts of {subject} cost more than they earned: {value} [{low} … {high}]; the list predicted "
        "{promised}.",
        "Контакты кампании {subject} стоили больше, чем принесли: {value} [{low} … {high}]; по прогнозу — {promised}.",
    ),
    reason__profit_not_shown=(
        "It is not clear whether the contacts of {subject} earned more than they cost: {value} [{low} … {high}]; the "
        "list predicted {promised}.",
        "Принесли ли контакты кампании {subject} больше, чем стоили, сказать нельзя: {value} [{low} … {high}]; по "
        "прогнозу — {promised}.",
    ),
    reason__effect_came=(
        "The contacts of {subject} raised the share with the outcome by {value} [{low} … {high}].",
        "Контакты кампании {subject} повысили долю с исходом на {value} [{low} … {high}].",
    ),
    reason__effect_lost=(
        "The contacts of {subject} lowered the share with the outcome: {value} [{low} … {high}].",
        "Контакты кампании {subject} снизили долю с исходом: {value} [{low} … {high}].",
    ),
    reason__effect_not_shown=(
        "It is not clear whether the contacts of {subject} changed anything: {value} [{low} … {high}].",
        "Изменили ли что-то контакты кампании {subject}, сказать нельзя: {value} [{low} … {high}].",
    ),
    reason__open=(
        "The outcomes of {subject} are counted for {days} days after its list was made; as of this answer that period "
        "is not over. Set a later moment with --as-of.",
        "Исходы кампании {subject} учитываются {days} дн. после составления списка; на момент расчёта срок ещё не "
        "прошёл. Более поздний момент задаёт --as-of.",
    ),
    reason__no_control=(
        "The list of {subject} has no control group: what would have happened without the contacts is unknown.",
        "В списке кампании {subject} нет контрольной группы: что было бы без контактов, неизвестно.",
    ),
    reason__few_units=(
        "{subject} has {units} units to contact and {control} in the control group; {needed} of each are needed.",
        "В кампании {subject} к обращению {units}, в контроле {control}; нужно не меньше {needed} в каждой группе.",
    ),
    reason__not_contacted=(
        "Of {units} units to contact in {subject}, {contacted} were contacted: the campaign was not carried out, or "
        "its contacts are missing.",
        "Из {units} единиц к обращению в кампании {subject} контакт был с {contacted}: кампания не проведена или её "
        "контактов нет в данных.",
    ),
    reason__control_contacted=(
        "Of {control} units in the control group of {subject}, {control_contacted} were contacted anyway: there is "
        "nothing to compare with.",
        "Из {control} единиц контроля кампании {subject} контакт всё же был с {control_contacted}: сравнить не с чем.",
    ),
    finding__advice_pays_later=(
        "Contact above a probability of {proposed} [{low} … {high}], not {now}: some of the responses would have "
        "happened anyway.",
        "Обращайтесь начиная с вероятности {proposed} [{low} … {high}], а не {now}: часть откликов была бы и так.",
    ),
    finding__advice_pays_earlier=(
        "Contact above a probability of {proposed} [{low} … {high}], not {now}: contacts below {now} would pay too.",
        "Обращайтесь начиная с вероятности {proposed} [{low} … {high}], а не {now}: обращения ниже {now} тоже "
        "окупятся.",
    ),
    finding__advice_more_control=(
        "Hold out {proposed} of the list, not {now}: with fewer, an effect that just pays off is not detectable.",
        "Отложите в контроль {proposed} списка, а не {now}: иначе эффект на границе окупаемости не виден.",
    ),
    finding__advice_less_control=(
        "Holding out {proposed} of the list is enough, instead of {now}.",
        "В контроль достаточно отложить {proposed} списка вместо {now}.",
    ),
    finding__advice_longer_list=(
        "Even with half of the list held out ({now} now) an effect that just pays off would not be detectable: the "
        "list is too short.",
        "Даже если отложить в контроль половину списка (сейчас {now}), эффект на границе окупаемости не виден: список "
        "слишком короткий.",
    ),
    finding__advice_promised_too_much=(
        "Retrain the model: {now} [{low} … {high}] of the predicted outcomes were observed.",
        "Обучите модель заново: наблюдалось {now} [{low} … {high}] предсказанных исходов.",
    ),
    finding__advice_promised_too_little=(
        "Retrain the model: {now} [{low} … {high}] of the predicted outcomes were observed, more than predicted.",
        "Обучите модель заново: наблюдалось {now} [{low} … {high}] предсказанных исходов, больше прогноза.",
    ),
    finding__advice_wrong_order=(
        "Retrain the model: parts of the list differ from the prediction, though the total does not.",
        "Обучите модель заново: части списка расходятся с прогнозом, хотя в сумме он верен.",
    ),
    finding__drift=(
        "Observed ÷ predicted outcomes of {subject}: {now}, against {before} in the previous campaign: more than "
        "chance explains ({p}).",
        "Исходы кампании {subject}, факт ÷ прогноз: {now}, в предыдущей — {before}: случайностью не объяснить "
        "({p}).",
    ),
    measure__effect=("effect of the contacts", "эффект контактов"),
    measure__profit=("profit of the contacts", "прибыль от контактов"),
    measure__ratio=("outcomes, observed ÷ predicted", "исходы, факт ÷ прогноз"),
    key__promised=("predicted: {promised}", "прогноз: {promised}"),
    section__advice=("What the next campaign should change", "Что изменить в следующей кампании"),
    advice__nothing=(
        "Nothing: threshold, control group and model are fine.",
        "Ничего: порог, контроль и модель подходят.",
    ),
    section__campaigns=("Predicted and observed, by campaign", "Прогноз и факт по кампаниям"),
    effect__title=("Effect of the contacts", "Эффект контактов"),
    effect__takeaway=("Share with the outcome: to contact − control.", "Доля с исходом: к обращению − контроль."),
    effect__takeaway_promised=(
        "Share with the outcome: to contact − control. Hollow: predicted by the list.",
        "Доля с исходом: к обращению − контроль. Полые: прогноз списка.",
    ),
    effect__came=("observed", "факт"),
    effect__promised=("predicted", "прогноз"),
    effect__zero=("no effect", "нет эффекта"),
    ledger__note=(
        "Profit is effect × units to contact × value − cost of the contacts made. A list by response predicts all "
        "responses, including those that would have happened anyway.",
        "Прибыль: эффект × единиц к обращению × ценность − стоимость контактов. Список по отклику предсказывает все "
        "отклики, в том числе те, что были бы и так.",
    ),
    column__campaign=("Campaign", "Кампания"),
    column__listed=("To contact", "К обращению"),
    column__control=("Control", "Контроль"),
    column__late=("Late", "Поздно"),
    column__never=("Never", "Без контакта"),
    column__effect=("Effect", "Эффект"),
    column__promised=("Predicted profit", "Прибыль, прогноз"),
    column__profit=("Profit", "Прибыль"),
    column__ratio=("Observed ÷ predicted", "Факт ÷ прогноз"),
    state__open=("not over", "не окончена"),
    state__no_control=("no control group", "нет контроля"),
    state__few_units=("few units", "мало единиц"),
    state__not_contacted=("not carried out", "не проведена"),
    state__control_contacted=("control contacted", "контакт с контролем"),
    section__calibration=("Calibration of the last list", "Калибровка последнего списка"),
    calibration__takeaway=(
        "Deciles of the list from the lowest prediction to the highest. Dashed: perfect calibration.",
        "Децили списка от наименьшего прогноза к наибольшему. Пунктиром: идеальная калибровка.",
    ),
    calibration__x=("predicted", "прогноз"),
    calibration__y=("observed", "факт"),
    calibration__exact=("as predicted", "как в прогнозе"),
)  # fmt: skip


def section(read: Reader, task: FollowUpTask, voice: Voice) -> Page:
    """The page of a follow-up.

    Args:
        read: what the run wrote.
        task: the settings.
        voice: the language.
    """
    ledger = read.table("campaigns").toPandas().sort_values(["made_at", "campaign"], ignore_index=True)
    sections = [_advice(read, voice), _campaigns(ledger, voice), *_calibration(read, ledger, voice)]
    shown = [one for one in sections if one.blocks]
    return Page(task.title[voice.language], task.question[voice.language], _answer(read, ledger, voice), shown)


def _points(value: float | None, voice: Voice) -> str:
    return f"{voice.formats.decimal(None if value is None else 100 * value, 2)}\u00a0{voice.words('points')}"


def _said(finding: Finding, voice: Voice, prefix: str) -> str:
    """Format a profit as money, an effect in percentage points, anything else as a share."""
    formats = voice.formats
    values: dict[str, object] = {}
    for name, value in finding.parameters.items():
        if name == "p":
            values[name] = formats.p_equation(float(value))
        elif isinstance(value, str):
            values[name] = value
        elif isinstance(value, int):
            values[name] = formats.integer(value)
        elif finding.code.startswith("profit"):
            values[name] = formats.money(value)
        else:
            values[name] = _points(value, voice) if finding.code.startswith("effect") else formats.percent(value)
    return voice.words(f"{prefix}.{finding.code}", subject=finding.subject, **values)


def _answer(read: Reader, ledger: pd.DataFrame, voice: Voice) -> Answer:
    words, formats, verdict = voice.words, voice.formats, read.verdict
    last = verdict.reasons[0].subject
    figures = []
    whose = dict(zip(ledger["campaign"], ledger["list_of"], strict=True)).get(last, "")
    for name in ("profit", "effect", "ratio"):
        found = read.measure(name, last, split_of(whose))
        if found is None:
            continue
        write = _written(name, voice)
        small = formats.interval(found.low, found.high, write)
        if name == "profit" and found.baseline is not None:
            small += "; " + words("key.promised", promised=write(found.baseline))
        figures.append(KeyFigure(words(f"measure.{name}"), write(found.value), small))
    sentences = [_said(reason, voice, "reason") for reason in verdict.reasons]
    sentences += [_said(one, voice, "finding") for one in read.findings if one.code == "drift"]
    warnings = [voice.told(finding) for finding in read.findings if finding.is_warning]
    return Answer(verdict.verdict, words(f"answer.{verdict.verdict}", campaign=last), sentences, figures, warnings)


def _written(measure: str, voice: Voice) -> Callable[[float | None], str]:
    if measure == "profit":
        return voice.formats.money
    if measure == "ratio":
        return lambda value: voice.formats.percent(value, 0)
    return lambda value: _points(value, voice)


def _advice(read: Reader, voice: Voice) -> Section:
    said = [_said(one, voice, "finding") for one in read.findings if one.code.startswith("advice_")]
    nothing = [voice.words("advice.nothing")] if read.table("advice").count() else []
    blocks = [Bullets(said or nothing)] if said or nothing else []
    return Section("advice", voice.words("section.advice"), blocks)


def _campaigns(ledger: pd.DataFrame, voice: Voice) -> Section:
    words = voice.words
    known = ledger.dropna(subset="effect")
    points = [
        Dot(
            row["campaign"], row["effect"], row["low"], row["high"],
            math.nan if row["promised_effect"] is None else row["promised_effect"], _points(row["effect"], voice),
        )
        for row in known.to_dict("records")
    ]  # fmt: skip
    figures = []
    if points:
        has_promise = bool(known["promised_effect"].notna().any())
        title, takeaway = words("effect.title"), words("effect.takeaway_promised" if has_promise else "effect.takeaway")
        picture = dots(
            "effect", points, f"{title}. {takeaway}", lambda value: _points(value, voice),
            words=(words("effect.came"), words("effect.promised")) if has_promise else ("", ""),
            reference=(0.0, words("effect.zero")),
        )  # fmt: skip
        figures.append(Figure(title, takeaway, picture))
    rows = [_ledger_row(row, voice) for row in ledger.to_dict("records")]
    names = ("campaign", "listed", "control", "late", "never", "effect", "promised", "profit", "ratio")
    titles = heads(*(words(f"column.{name}") for name in names))
    table = TableBlock(words("section.campaigns"), titles, rows, note=words("ledger.note"))
    return Section("campaigns", words("section.campaigns"), [*figures, table])


def _ledger_row(row: dict[Hashable, Any], voice: Voice) -> list[Cell]:
    formats, words = voice.formats, voice.words
    state = f"{row['state']}"
    return [
        head(f"{row['campaign']}", "" if state == "done" else words(f"state.{state}")),
        *(number(formats.integer(row[name])) for name in ("to_contact", "control", "late", "never")),
        number(_points(row["effect"], voice), formats.interval(row["low"], row["high"], lambda x: _points(x, voice))),
        number(formats.money(row["promised_profit"])),
        number(formats.money(row["profit"]), formats.interval(row["profit_low"], row["profit_high"], formats.money)),
        number(
            formats.percent(row["ratio"], 0),
            formats.interval(row["ratio_low"], row["ratio_high"], lambda x: formats.percent(x, 0)),
        ),
    ]


def _calibration(read: Reader, ledger: pd.DataFrame, voice: Voice) -> list[Section]:
    words, formats = voice.words, voice.formats
    bands = read.table("bands").toPandas()
    over = [name for name in ledger["campaign"] if name in set(bands["campaign"])]
    if not over:
        return []
    rows = bands[bands["campaign"] == over[-1]].sort_values("band")
    x, y, low, high = (rows[name].to_numpy(dtype=np.float64) for name in ("promised", "came", "low", "high"))
    title, takeaway = words("section.calibration"), words("calibration.takeaway")
    picture = lines(
        "calibration",
        [Series(words("calibration.exact"), x, x, role="baseline"), Series(over[-1], x, y, low, high, "main")],
        f"{title}. {takeaway}", (formats.percent, formats.percent),
        (words("calibration.x"), words("calibration.y")),
    )  # fmt: skip
    return [Section("calibration", title, [Figure(title, takeaway, picture)])]
