"""The page of a survival task: curves, accuracy, factors associated with leaving, value at risk."""

from __future__ import annotations

import itertools

import numpy as np

from otklik.forecasts.survival.kind import SurvivalTask
from otklik.forecasts.survival.words import TEXTS
from otklik.forecasts.wording import estimate, interval
from otklik.kind import Measure, Reader
from otklik.page.blocks import Block, Cell, DefinitionList, Figure, Section, TableBlock, head, number
from otklik.page.figures import Dot, Series, dots, lines
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice

__all__ = ["TEXTS", "section"]

_ALL = "(all)"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
#: Maximum number of groups and effects plotted; tables have all.
_MOST_CURVES, _MOST_EFFECTS = 6, 16


def section(read: Reader, task: SurvivalTask, voice: Voice) -> Page:
    """The page."""
    words = voice.words
    is_judged = read.measure("auc", split="out_of_fold") is not None
    sections = [Section("curves", words("section.curves"), _curves(read, task, voice))]
    if is_judged:
        sections += [
            Section("judged", words("section.judged"), _judged(read, task, voice)),
            Section("effects", words("section.effects"), _effects(read, task, voice)),
        ]
    numbers = {"horizon": task.horizon_periods, "value_periods": task.value_periods, "periods": _periods(task, voice)}
    names = ("risk", "curve", "brier")
    terms = DefinitionList([(words(f"terms.{name}"), words(f"terms.{name}_is", **numbers)) for name in names])
    return Page(
        task.title[voice.language],
        task.question[voice.language],
        _answer(read, task, voice, is_judged),
        [*sections, Section("terms", words("section.terms"), [terms])],
    )


def _periods(task: SurvivalTask, voice: Voice) -> str:
    return voice.words(f"period.{task.period}")


def _groups(read: Reader) -> list[str]:
    subjects = read.measures.loc[read.measures["measure"] == "departures", "subject"]
    return [str(name) for name in subjects if name]


def _of_group(read: Reader, voice: Voice) -> str:
    return voice.words("of_group.group" if _groups(read) else "of_group.all")


def _answer(read: Reader, task: SurvivalTask, voice: Voice, is_judged: bool) -> Answer:
    words, formats = voice.words, voice.formats
    sentences = [voice.told(reason, "reason") for reason in read.verdict.reasons]
    everybody = read.measure("departures")
    told = _told_duration(read, task)
    if told is not None and everybody is not None:
        duration, survival = told
        sentences.append(
            words(
                "answer.stay", customers=formats.integer(everybody.rows), left=formats.integer(everybody.value),
                duration=duration, periods=_periods(task, voice), survival=formats.percent(survival.value),
            )
        )  # fmt: skip
        sentences += _about_groups(read, task, voice, duration)
    if is_judged:
        auc = read.measure("auc", split="out_of_fold")
        assert auc is not None
        curve = formats.decimal(auc.baseline)
        sentences.append(
            words("answer.judged", auc=estimate(auc, voice, 3), auc_curve=curve, of_group=_of_group(read, voice))
        )
        sentences += _about_present(read, task, voice)
    title = words(f"verdict.{read.verdict.verdict}")
    warnings = [voice.told(finding) for finding in read.findings if finding.is_warning]
    return Answer(read.verdict.verdict, title, sentences, _key_figures(read, task, voice), warnings)


def _told_duration(read: Reader, task: SurvivalTask) -> tuple[int, Measure] | None:
    """The first of the task's durations that occurs in the data."""
    for duration in task.curve_at:
        found = read.measure(f"survival_{duration}")
        if found is not None:
            return duration, found
    return None


def _about_groups(read: Reader, task: SurvivalTask, voice: Voice, duration: int) -> list[str]:
    found = [(read.measure(f"survival_{duration}", group), group) for group in _groups(read)]
    shares = sorted((one.value or 0.0, group) for one, group in found if one is not None)
    if len(shares) < 2:
        return []
    test = read.measure("log_rank_log10_p")
    p = "" if test is None else voice.words("answer.test", p=_p_value(test, voice))
    (worst_share, worst), (best_share, best) = shares[0], shares[-1]
    return [
        voice.words(
            "answer.groups", duration=duration, periods=_periods(task, voice), best=best, worst=worst, test=p,
            best_share=voice.formats.percent(best_share), worst_share=voice.formats.percent(worst_share),
        )
    ]  # fmt: skip


def _p_value(test: Measure, voice: Voice) -> str:
    """A p-value that may be too small for a double."""
    logarithm = test.value or 0.0
    if logarithm > -3:
        return f"= {voice.formats.decimal(10**logarithm)}"
    return f"< 10{str(int(np.ceil(logarithm))).translate(_RAISED)}"


def _about_present(read: Reader, task: SurvivalTask, voice: Voice) -> list[str]:
    words, formats = voice.words, voice.formats
    horizon = str(task.horizon_periods)
    leaving, value = (read.measure(name, horizon, "present") for name in ("expected_departures", "value_at_risk"))
    assert leaving is not None
    with_them = "" if value is None else words("answer.value", value=_money(value.value, task, voice))
    found = [
        words(
            "answer.present", customers=formats.integer(leaving.rows), leaving=formats.integer(leaving.value),
            horizon=horizon, periods=_periods(task, voice), value=with_them,
        )
    ]  # fmt: skip
    gain = read.measure("list_gain", split="present")
    if gain is not None:
        everybody = _money(gain.baseline, task, voice)
        found.append(
            words("answer.list", listed=formats.integer(gain.rows), gain=_money(gain.value, task, voice), all=everybody)
        )
    return found


def _money(value: float | None, task: SurvivalTask, voice: Voice) -> str:
    return voice.formats.money(value, task.currency[voice.language])


def _key_figures(read: Reader, task: SurvivalTask, voice: Voice) -> list[KeyFigure]:
    words, formats = voice.words, voice.formats
    periods, horizon = _periods(task, voice), str(task.horizon_periods)
    figures = []
    told = _told_duration(read, task)
    if told is not None:
        duration, survival = told
        span = formats.percent_interval(survival.low, survival.high)
        label = words("key.survival", duration=duration, periods=periods)
        figures.append(KeyFigure(label, formats.percent(survival.value), span))
    leaving, value = (read.measure(name, horizon, "present") for name in ("expected_departures", "value_at_risk"))
    if leaving is not None and leaving.value is not None and leaving.rows:
        share = formats.percent(leaving.value / leaving.rows)
        label = words("key.leaving", horizon=horizon, periods=periods)
        figures.append(KeyFigure(label, formats.integer(leaving.value), share))
    if value is not None:
        figures.append(KeyFigure(words("key.value"), _money(value.value, task, voice)))
    auc = read.measure("auc", split="out_of_fold")
    if auc is not None:
        note = words("key.auc_note", auc=formats.decimal(auc.baseline))
        figures.append(KeyFigure(words("key.auc"), formats.decimal(auc.value), note))
    return figures


def _curves(read: Reader, task: SurvivalTask, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    rows = read.table("curves").orderBy("group", "duration").collect()
    by_group = {name: list(some) for name, some in itertools.groupby(rows, lambda row: row.group)}
    largest = sorted((name for name in by_group if name != _ALL), key=lambda name: (-by_group[name][0].at_risk, name))
    series = []
    for name in [*largest[:_MOST_CURVES], _ALL]:
        some = by_group[name]
        low, high = (
            np.array([np.nan if (end := getattr(row, side)) is None else end for row in some], float)
            for side in ("low", "high")
        )
        is_all = name == _ALL
        series.append(
            Series(
                words("curves.all") if is_all else name,
                np.array([0.0, *(row.duration for row in some)]),
                np.array([1.0, *(row.survival for row in some)]),
                np.array([1.0, *low]) if is_all else None,
                np.array([1.0, *high]) if is_all else None,
                "main" if is_all else "other",
            )
        )
    periods = _periods(task, voice)
    picture = lines(
        "curves", series, words("curves.alt"), (formats.short, formats.percent), (periods, words("curves.share"))
    )
    figure = Figure(words("curves.title", periods=periods), words("curves.takeaway"), picture, words("curves.note"))
    return [figure, _curve_table(read, task, voice)]


def _curve_table(read: Reader, task: SurvivalTask, voice: Voice) -> TableBlock:
    words, formats = voice.words, voice.formats
    rows = []
    for group in ["", *_groups(read)]:
        departures, median = read.measure("departures", group), read.measure("median", group)
        assert departures is not None
        cells = [
            head(group or words("curves.all")),
            number(formats.integer(departures.rows)),
            number(formats.integer(departures.value)),
            number(formats.integer(None if median is None else median.value)),
        ]
        for duration in task.curve_at:
            found = read.measure(f"survival_{duration}", group)
            span = "" if found is None else formats.percent_interval(found.low, found.high)
            cells.append(number(formats.percent(None if found is None else found.value), span))
        rows.append(cells)
    names = ("table.customers", "table.left", "table.median")
    top = [
        Cell(words("table.group")),
        *(number(words(name)) for name in names),
        *(number(words("table.after", duration=duration)) for duration in task.curve_at),
    ]
    chi2, p = read.measure("log_rank_chi2"), read.measure("log_rank_log10_p")
    note = ""
    if chi2 is not None and p is not None:
        value, degrees = formats.decimal(chi2.value, 2), formats.integer(chi2.baseline)
        note = words("table.test", chi2=value, degrees=degrees, p=_p_value(p, voice))
    return TableBlock(words("table.caption"), top, rows, note=note, emphasised=frozenset([0]))


def _judged(read: Reader, task: SurvivalTask, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    of_group = _of_group(read, voice)
    rows = read.table("judged").orderBy("duration").collect()
    durations = np.array([row.duration for row in rows], float)

    def column(name: str) -> np.ndarray:
        return np.array([np.nan if row[name] is None else row[name] for row in rows], float)

    series = [
        Series(words("judged.curve", of_group=of_group), durations, column("auc_curve"), role="baseline"),
        Series(words("judged.model"), durations, column("auc"), role="main"),
    ]
    picture = lines(
        "judged", series, words("judged.alt"), (formats.short, formats.short), (_periods(task, voice), "AUC")
    )
    judged = []
    for name in ("integrated_brier", "brier_gain", "auc"):
        one = read.measure(name, split="out_of_fold")
        assert one is not None
        judged.append(
            [
                head(words(f"measure.{name}")),
                number(formats.decimal(one.value, 4), interval(one, voice, 4)),
                number(formats.decimal(one.baseline, 4)),
            ]
        )
    names = [words("judged.model"), words("judged.curve", of_group=of_group)]
    return [
        Figure(words("judged.title"), words("judged.takeaway", of_group=of_group), picture),
        TableBlock(words("judged.caption"), [Cell(words("judged.measure")), *map(number, names)], judged),
    ]


def _effects(read: Reader, task: SurvivalTask, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    rows = read.table("effects").collect()
    strongest = sorted(rows, key=lambda row: (-abs(np.log(row.odds_ratio)), row.feature, row.level))[:_MOST_EFFECTS]
    drawn = []
    for row in sorted(strongest, key=lambda row: -row.odds_ratio):
        key = "against" if row.reference is not None else "empty" if row.level == "(empty)" else "number"
        label = words(f"effects.{key}", feature=row.feature, level=row.level, reference=row.reference)
        text = voice.estimate(row.odds_ratio, row.low, row.high, 2)
        is_told = row.low > 1 or row.high < 1
        value, low, high = np.log([row.odds_ratio, max(row.low, 1e-3), min(row.high, 1e3)])
        drawn.append(Dot(label, float(value), float(low), float(high), text=text, is_emphasised=is_told))
    # On a log scale, twice and half as likely are equally far from 1.
    picture = dots(
        "effects", drawn, words("effects.alt"), lambda value: formats.decimal(np.exp(value), 2),
        words=(words("effects.ratio"), ""), reference=(0.0, words("effects.even")),
    )  # fmt: skip
    title = words("effects.title", period=words(f"one.{task.period}"))
    return [Figure(title, words("effects.takeaway"), picture)] if drawn else []
