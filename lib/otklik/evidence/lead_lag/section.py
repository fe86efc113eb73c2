"""The page of leading signals: which lead sales, by how long, and how far to trust it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from otklik.evidence.lead_lag.kind import LeadLagTask
from otklik.kind import Finding, Reader
from otklik.page.blocks import Figure, Grid, Section, TableBlock, head, heads, number
from otklik.page.figures import Series, lines
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice, texts

TEXTS = texts(
    answer__gain=("Signals lead sales", "Сигналы опережают продажи"),
    answer__no_gain=("No signal predicts later sales", "Сигналы не предсказывают будущих продаж"),
    answer__too_little_data=("Too little data to tell", "Данных слишком мало для вывода"),
    answer__invalid=("Signals also follow sales", "Сигналы и сами следуют за продажами"),
    reason__leads=(
        "“{subject}” reduces the error of a forecast from past sales and seasons alone by {value}, mainly through its "
        "value {lag} periods before.",
        "«{subject}» снижает ошибку прогноза по одним продажам и сезонам на {value}, прежде всего за счёт значения "
        "{lag} периодов назад.",
    ),
    reason__both_ways=(
        "“{subject}” predicts later sales, but sales also predict it (placebo: {p}): customers may be talking "
        "about what they bought, or something else moves both.",
        "«{subject}» предсказывает будущие продажи, но и продажи предсказывают его (плацебо: {p}): покупатели могут "
        "говорить об уже купленном, или на то и другое влияет общая причина.",
    ),
    reason__nothing=(
        "The best of them, “{subject}”, reduces the error of a forecast from past sales and seasons alone by {value} "
        "[{low} … {high}]: no more than chance.",
        "Лучший из них, «{subject}», снижает ошибку прогноза по одним продажам и сезонам на {value} [{low} … {high}]: "
        "не больше случайного.",
    ),
    reason__few_periods=("There are {periods} periods; {needed} are needed.", "Периодов: {periods}; нужно {needed}."),
    reason__no_signal=("No signal ever changes.", "Ни один сигнал не меняется."),
    finding__filled=(
        "{n} periods without rows of the outcome count as 0.",
        "Периодов без строк: {n}; они считаются 0.",
    ),
    finding__constant_signal=("“{subject}” never changes.", "«{subject}» не меняется."),
    measure__gain=("reduction in forecast error", "снижение ошибки прогноза"),
    key__gain=("Error reduction, {signal}", "Снижение ошибки, {signal}"),
    section__lags=("Effect by lag", "Эффект по задержке"),
    lags__takeaway=(
        "For a signal one standard deviation higher. Left of 0 is the placebo, where there must be no effect.",
        "При сигнале выше на одно стандартное отклонение. Слева от нуля плацебо: там эффекта быть не должно.",
    ),
    lags__x=("periods from signal to sale", "периодов от сигнала до продажи"),
    lags__y=("change of sales", "изменение продаж"),
    lags__mark=("signal", "сигнал"),
    section__signals=("Signals", "Сигналы"),
    column__signal=("Signal", "Сигнал"),
    column__gain=("Error reduction", "Снижение ошибки"),
    column__lag=("Lag", "Задержка"),
    column__q=("q of its lags", "q задержек"),
    column__lead=("p of the placebo", "p плацебо"),
    signals__note=(
        "Leading is not causing. Only an experiment shows whether talk brings sales.",
        "Опережать — не значит вызывать. Приносят ли разговоры продажи, покажет только эксперимент.",
    ),
    status__leads=("leads", "опережает"),
    status__both_ways=("both ways", "в обе стороны"),
    status__nothing=("nothing shown", "не показано"),
)  # fmt: skip

_MOST_SIGNALS = 12


def section(read: Reader, task: LeadLagTask, voice: Voice) -> Page:
    """The page of leading signals.

    Args:
        read: what the run wrote.
        task: the settings.
        voice: the language.
    """
    signals = read.table("signals").toPandas().sort_values("gain", ascending=False, kind="stable").head(_MOST_SIGNALS)
    sections = [] if signals.empty else [_lags(read, signals, voice), _signals(signals, voice)]
    return Page(task.title[voice.language], task.question[voice.language], _answer(read, signals, voice), sections)


def _said(finding: Finding, voice: Voice) -> str:
    formats = voice.formats
    values: dict[str, object] = {}
    for name, value in finding.parameters.items():
        if isinstance(value, int):
            values[name] = formats.integer(value)
        else:
            values[name] = (formats.p_equation if name == "p" else formats.percent)(float(value))
    return voice.words(f"reason.{finding.code}", subject=finding.subject, **values)


def _answer(read: Reader, signals: pd.DataFrame, voice: Voice) -> Answer:
    formats, verdict = voice.formats, read.verdict
    figures = [
        KeyFigure(
            voice.words("key.gain", signal=row["signal"]), formats.percent(row["gain"]),
            formats.interval(row["gain_low"], row["gain_high"], formats.percent),
        )
        for row in signals.head(3).to_dict("records")
    ]  # fmt: skip
    sentences = [_said(reason, voice) for reason in verdict.reasons]
    warnings = [voice.told(finding) for finding in read.findings]
    return Answer(verdict.verdict, voice.words(f"answer.{verdict.verdict}"), sentences, figures, warnings)


def _lags(read: Reader, signals: pd.DataFrame, voice: Voice) -> Section:
    words, formats = voice.words, voice.formats
    lags = read.table("lags").toPandas().sort_values("lag")
    figures = []
    for place, signal in enumerate(signals["signal"]):
        rows = lags[lags["signal"] == signal]
        x, y, low, high = (rows[name].to_numpy(dtype=np.float64) for name in ("lag", "effect", "low", "high"))
        picture = lines(
            f"lags-{place}", [Series("", x, np.zeros(len(x)), role="baseline"), Series("", x, y, low, high, "main")],
            f"{signal}. {words('lags.takeaway')}", (formats.short, formats.short),
            (words("lags.x"), words("lags.y")), mark=(0.0, words("lags.mark")),
        )  # fmt: skip
        figures.append(Figure(str(signal), "" if place else words("lags.takeaway"), picture))
    return Section("lags", words("section.lags"), [Grid(figures)])


def _signals(signals: pd.DataFrame, voice: Voice) -> Section:
    words, formats = voice.words, voice.formats
    rows = [
        [
            head(row["signal"], words(f"status.{row['status']}")),
            number(formats.percent(row["gain"]), formats.interval(row["gain_low"], row["gain_high"], formats.percent)),
            number(formats.integer(row["lag"])), number(formats.p_value(row["q_value"])),
            number(formats.p_value(row["lead_p"])),
        ]
        for row in signals.to_dict("records")
    ]  # fmt: skip
    titles = heads(*(words(f"column.{name}") for name in ("signal", "gain", "lag", "q", "lead")))
    table = TableBlock(words("section.signals"), titles, rows, note=words("signals.note"))
    return Section("signals", words("section.signals"), [table])
