"""The page of a send-time task: response by hour, and the value of choosing the hour."""

from __future__ import annotations

import math

import pandas as pd
from pyspark.sql import functions as F

from otklik.decisions.send_time.kind import SendTimeTask
from otklik.kind import Reader
from otklik.page.blocks import Block, Bullets, Figure, Paragraph, Section, TableBlock, head, heads, number
from otklik.page.figures import Dot, dots, heat_map
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice, texts

_POLICIES = ("own", "best", "sent")
#: Maximum number of groups in the figure.
_MOST_GROUPS = 12

TEXTS = texts(
    reason__few_earlier=(
        "{contacts} earlier contacts, or none answered: {minimum} are needed for training.",
        "Слишком мало более ранних обращений ({contacts}) или нет ответов; для обучения нужно {minimum}.",
    ),
    reason__few_later=(
        "{contacts} later contacts, or none answered: {minimum} are needed to evaluate the choice.",
        "Слишком мало более поздних обращений ({contacts}) или нет ответов; для проверки нужно {minimum}.",
    ),
    reason__hours_follow_customers=(
        "Later contacts fall in the customer's own best hours {ratio} times as often as by chance: hours were already "
        "chosen per customer, so answers at different hours cannot be compared.",
        "Более поздние обращения попадали в лучшие часы клиента в {ratio} раза чаще, чем случайно: час уже выбирали по "
        "клиенту, и ответы в разные часы сравнивать нельзя.",
    ),
    reason__own_hours=(
        "Of {contacts} later contacts, those at the customer's own hours were answered in {rate} cases of 1,000: "
        "{gain} more than at the best hours for all.",
        "Из {contacts} более поздних обращений на те, что пришлись на индивидуальные часы клиента, ответили в {rate} "
        "случаях из 1000: на {gain} больше, чем в лучшие часы для всех.",
    ),
    reason__one_hour_for_all=(
        "One good hour for all is enough: of {contacts} later contacts, those at that hour were answered in {rate} "
        "cases of 1,000, {gain} more than at the hours used so far. A benefit of individual hours is not proven.",
        "Достаточно одного удачного часа для всех: из {contacts} более поздних обращений на те, что пришлись на этот "
        "час, ответили в {rate} случаях из 1000, на {gain} больше, чем в прежние часы. Польза индивидуальных часов не "
        "доказана.",
    ),
    reason__hours_alike=(
        "In {contacts} later contacts no choice of the hour was answered significantly more often than the hours used "
        "so far.",
        "Из {contacts} более поздних обращений ни при каком выборе часа не отвечали значимо чаще, чем в прежние часы.",
    ),
    finding__rare_bands=(
        "Bands of the day used too rarely to be recommended: {n}.",
        "Интервалов дня, которые используются слишком редко для рекомендации: {n}.",
    ),
    answer__preference_none=(
        "It is not shown that customers differ in their preferred hours.",
        "Различие клиентов в удобных часах показать не удалось.",
    ),
    answer__preference=(
        "Customers differ in their preferred hours: a customer's rate in one band varies by {spread} around what the "
        "group and the customer's overall responsiveness explain.",
        "Клиенты различаются удобными часами: доля ответов клиента в отдельном интервале отклоняется на {spread} от "
        "того, что объясняют группа и общая отзывчивость клиента.",
    ),
    answer__customers=(
        "{own} of {all} customers get an individual hour.",
        "Индивидуальный час получают {own} из {all} клиентов.",
    ),
    key__own=("Answered at individual hours", "Ответы в индивидуальные часы"),
    key__best=("Answered at the best hour for all", "Ответы в лучший час для всех"),
    key__sent=("Answered as sent", "Ответы при прежних часах"),
    section__gain=("Value of choosing the hour", "Что даёт выбор часа"),
    gain__title=("Share answered on later contacts", "Доля ответов на более поздние обращения"),
    gain__takeaway=(
        "Chosen on earlier contacts, evaluated on later ones that happened to be sent at the chosen hour.",
        "Выбрано по более ранним обращениям, проверено на более поздних, которые случайно пришлись на выбранный час.",
    ),
    gain__alt=("Share answered by policy, with intervals", "Доля ответов по способам выбора, с интервалами"),
    policy__own=("individual hour", "индивидуальный час"),
    policy__best=("best hour for all", "лучший час для всех"),
    policy__sent=("as sent", "как отправляли"),
    section__bands=("When contacts are answered", "Когда отвечают"),
    bands__title=("Share answered by group and band", "Доля ответов по группам и интервалам"),
    bands__takeaway=("Earlier contacts, {timezone}.", "Более ранние обращения, {timezone}."),
    bands__alt=("Share answered by group and band of the day", "Доля ответов по группам и интервалам дня"),
    table__caption=("Bands of the day", "Интервалы дня"),
    table__group=("Group", "Группа"),
    table__band=("Band", "Интервал"),
    table__contacts=("Contacts", "Обращений"),
    table__rate=("Answered", "Ответили"),
    table__later=("Later", "Позже"),
    table__best=("best for all", "лучший для всех"),
    table__rare=("rare", "редкий"),
    section__method=("How this was counted", "Как это посчитано"),
    method__shrink=(
        "A customer's preference is shrunk towards the group's rates, the more so the fewer contacts there are "
        "(empirical Bayes); how much customers differ is estimated from pairs of contacts in the same band and in "
        "different ones.",
        "Предпочтение клиента тем сильнее приближается к долям группы, чем меньше обращений (эмпирический Байес); "
        "насколько клиенты различаются, оценивается по парам обращений в одном и в разных интервалах.",
    ),
    method__policy=(
        "The choice is evaluated on the last {share} of contacts in time; a contact counts for a policy if it was "
        "sent in the band of that policy, weighted by the inverse frequency of the band in its group. Intervals: "
        "jackknife over customers.",
        "Выбор проверяется на последних {share} обращений; обращение засчитывается способу выбора, если отправлено в "
        "его интервал, с весом, обратным частоте этого интервала в группе. Интервалы — методом складного ножа "
        "(jackknife) по клиентам.",
    ),
    method__cause=(
        "Hours are compared within a group. If mornings and evenings had different messages, use the campaign as the "
        "group; otherwise the difference may be due to the messages.",
        "Часы сравниваются внутри группы. Если утром и вечером отправляли разные сообщения, задайте группой кампанию: "
        "иначе разница может быть разницей сообщений.",
    ),
)


def section(read: Reader, task: SendTimeTask, voice: Voice) -> Page:
    """The page: the value of choosing the hour, and response by hour."""
    words = voice.words
    bands = read.table("bands").orderBy("group", "band").toPandas()
    is_judged = read.measure("gain", "own", "later") is not None
    return Page(
        task.title[voice.language],
        task.question[voice.language],
        _answer(read, voice),
        [
            *([Section("gain", words("section.gain"), [_gain(read, voice)])] if is_judged else []),
            Section("bands", words("section.bands"), _bands(bands, task, voice)),
            Section("method", words("section.method"), [Bullets(_method(task, voice))]),
        ],
    )


def _answer(read: Reader, voice: Voice) -> Answer:
    words, formats = voice.words, voice.formats
    sentences = [voice.told(reason, "reason") for reason in read.verdict.reasons]
    preference = read.measure("preference", split="earlier")
    if preference is not None and preference.value is not None:
        is_shown = preference.low is not None and preference.low > 0
        spread = formats.percent(max(preference.value, 0.0) ** 0.5, 0)
        sentences.append(words("answer.preference" if is_shown else "answer.preference_none", spread=spread))
        counts = read.table("times").agg(F.count("*").alias("all"), F.count_if("is_own").alias("own")).collect()[0]
        sentences.append(
            words("answer.customers", own=formats.integer(counts["own"]), all=formats.integer(counts["all"]))
        )
    figures = []
    for policy in _POLICIES:
        rate = read.measure("rate", policy, "later")
        if rate is not None:
            interval = formats.percent_interval(rate.low, rate.high)
            figures.append(KeyFigure(words(f"key.{policy}"), formats.percent(rate.value), interval))
    verdict = read.verdict.verdict
    warnings = [voice.told(finding) for finding in read.findings if finding.is_warning]
    return Answer(verdict, words(f"verdict.{verdict}"), sentences, figures, warnings)


def _gain(read: Reader, voice: Voice) -> Block:
    words, formats = voice.words, voice.formats
    rows = []
    for policy in _POLICIES:
        rate = read.measure("rate", policy, "later")
        if rate is not None and rate.value is not None:
            low, high = (math.nan if end is None else end for end in (rate.low, rate.high))
            rows.append(Dot(words(f"policy.{policy}"), rate.value, low, high, text=formats.percent(rate.value)))
    picture = dots("policies", rows, words("gain.alt"), formats.percent)
    return Figure(words("gain.title"), words("gain.takeaway"), picture)


def _bands(bands: pd.DataFrame, task: SendTimeTask, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    rates = bands.pivot(index="group", columns="band", values="rate").head(_MOST_GROUPS)
    picture = heat_map(
        "bands",
        rates.to_numpy(float),
        ([str(group) for group in rates.index], [task.band_name(int(band)) for band in rates.columns]),
        words("bands.alt"),
        formats.percent,
    )
    rows = []
    for row in bands.to_dict("records"):
        mark = words("table.best") if row["is_best"] else "" if row["is_offered"] else words("table.rare")
        rows.append(
            [
                head(str(row["group"])),
                head(task.band_name(int(row["band"])), mark),
                number(formats.integer(row["contacts"])),
                number(formats.percent(row["rate"]), formats.percent_interval(row["low"], row["high"])),
                number(formats.percent(row["later_rate"])),
            ]
        )
    columns = heads(
        *(words(f"table.{name}") for name in ("group", "band", "contacts", "rate", "later")), numbers_from=2
    )
    takeaway = words("bands.takeaway", timezone=task.timezone)
    figure: Block = Figure(words("bands.title"), takeaway, picture) if len(bands) > 1 else Paragraph(takeaway)
    return [figure, TableBlock(words("table.caption"), columns, rows)]


def _method(task: SendTimeTask, voice: Voice) -> list[str]:
    words = voice.words
    share = voice.formats.percent(task.later_share, 0)
    return [words("method.shrink"), words("method.policy", share=share), words("method.cause")]
