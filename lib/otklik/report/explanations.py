"""Section "what drives the predictions": odds ratios, importances, partial dependence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from otklik.inference import known
from otklik.models.prepare import MISSING, OTHER
from otklik.page.blocks import Block, Cell, Details, Figure, Grid, Heading, Paragraph, TableBlock, head, number
from otklik.page.drawing import Picture
from otklik.page.figures import Bar, Dot, Floats, Series, bars, dots, lines
from otklik.page.formats import is_number
from otklik.report.board import Board
from otklik.report.facts import ReportFacts, records
from otklik.report.texts import ReportVoice

ODDS_DRAWN = 16
IMPORTANCES_DRAWN = 12
DEPENDENCES_DRAWN = 6
#: If the main feature of the reasons is not among this many of the most important ones, the page explains why.
_ALIKE = 3


def section(facts: ReportFacts, board: Board, voice: ReportVoice) -> list[Block]:
    """Explanations of the scores as figures; all odds ratios as a table."""
    frame = facts.explanations
    if frame.empty:
        return [Paragraph(voice.words("why.none"), "note")]
    blocks: list[Block] = []
    importances = [
        figure
        for kind in ("permutation", "impurity")
        if (figure := _importance(facts, _of_model(frame, kind, board.champion), kind, voice)) is not None
    ]
    if importances:
        blocks.append(Grid(importances))
        blocks += _reasons_beside(facts, _of_model(frame, "permutation", board.champion), voice)
    odds = frame[(frame["kind"] == "odds_ratio") & _has_value(frame) & (frame["value"] > 0)]
    if not odds.empty:
        blocks += _odds(facts, odds, voice)
    dependence = _of_model(frame, "partial_dependence", board.champion)
    if not dependence.empty:
        model = voice.words.known("model", str(dependence["model"].iloc[0]))
        blocks.append(Heading(voice.words("why.dependence", model=model)))
        blocks.append(Paragraph(voice.words("why.dependence_note")))
        blocks.append(Grid(_dependences(facts, frame, dependence, board, voice), is_packed=True))
    return blocks or [Paragraph(voice.words("why.none"), "note")]


def _of_model(frame: pd.DataFrame, kind: str, champion: str | None) -> pd.DataFrame:
    """Rows of a kind of explanation, of the champion or otherwise of the first model that has them."""
    rows = frame[frame["kind"] == kind]
    if rows.empty:
        return rows
    models = list(dict.fromkeys(rows["model"]))
    return rows[rows["model"] == (champion if champion in models else models[0])]


def _importance(facts: ReportFacts, rows: pd.DataFrame, kind: str, voice: ReportVoice) -> Figure | None:
    rows = rows[_has_value(rows)].sort_values(["value", "feature"], ascending=[False, True])
    if rows.empty:
        return None
    shown = rows.head(IMPORTANCES_DRAWN)
    weights = []
    for place, record in enumerate(records(shown)):
        value, low, high = _ends(record)
        label = _capital(facts.meaning(str(record.feature), voice.language))
        weights.append(Bar(label, value, voice.formats.decimal(value, 3), place == 0, low, high))
    title = voice.words(f"why.{kind}", model=voice.words.known("model", str(rows["model"].iloc[0])))
    listed = "; ".join(f"{weight.label} {weight.text}" for weight in weights)
    alt = voice.words("why.importance_alt", title=title, weights=listed)
    takeaway = voice.words(f"why.{kind}_takeaway", feature=weights[0].label)
    return Figure(title, takeaway, bars(f"why-{kind}", weights, alt, is_small=True))


def _reasons_beside(facts: ReportFacts, permuted: pd.DataFrame, voice: ReportVoice) -> list[Block]:
    """Whether the reasons of the scores agree with the importances, and if not, why."""
    weights, ranked = facts.reason_weights, permuted[_has_value(permuted)].sort_values("value", ascending=False)
    if weights is None or weights.empty or ranked.empty:
        return []
    named = str(weights.sort_values(["weight", "feature"], ascending=[False, True])["feature"].iloc[0])
    agrees = named in set(ranked["feature"].head(_ALIKE))
    lost = ranked.loc[ranked["feature"] == named, "value"]
    said = voice.words(
        "why.reasons_agree" if agrees else "why.reasons_differ",
        feature=_capital(facts.meaning(named, voice.language)),
        share=voice.formats.percent(float(weights["weight"].max()), 0),
        lost=voice.formats.decimal(None if lost.empty else float(lost.iloc[0])),
    )
    return [Paragraph(said, "note")]


def _odds(facts: ReportFacts, odds: pd.DataFrame, voice: ReportVoice) -> list[Block]:
    words, formats = voice.words, voice.formats
    far = np.abs(np.log(odds["value"].to_numpy(dtype=float)))
    sure = (odds["low"] > 1) | (odds["high"] < 1) | odds["low"].isna()
    ordered = odds.assign(_far=far, _sure=sure).sort_values(
        ["_sure", "_far", "feature", "level"], ascending=[False, False, True, True]
    )
    speaks = [_rows_behind(facts, record) >= facts.task.report.rows_to_speak for record in records(ordered)]
    drawn = (ordered[speaks] if any(speaks) else ordered).head(ODDS_DRAWN).sort_values("value", ascending=False)
    weights = []
    for record in records(drawn):
        value, low, high = _ends(record)
        text = formats.decimal(value, 2)
        weights.append(
            Dot(_odds_label(facts, record, voice), value, low, high, text=text, is_emphasised=low > 1 or high < 1)
        )
    told = [record for record, is_told in zip(records(ordered), speaks, strict=True) if is_told]
    listed = "; ".join(f"{weight.label} {weight.text}" for weight in weights)
    picture = dots(
        "why-odds",
        weights,
        words("why.odds_alt", weights=listed),
        formats.short,
        reference=(1.0, f"{words('why.odds_lower')} | {words('why.odds_higher')}"),
        is_ratio=True,
        label_width=320.0,
    )
    takeaway = words("why.odds_rare", n=formats.integer(facts.task.report.rows_to_speak))
    if told:
        label = _capital(_odds_label(facts, told[0], voice))
        takeaway = words("why.odds_takeaway", label=label, value=formats.decimal(told[0].value, 2))
    rows = [
        [
            head(_capital(facts.meaning(str(record.feature), voice.language)), str(record.feature)),
            Cell(words.level(_level_text(record.level))),
            Cell(_reference(words.level(_level_text(record.reference)), voice)),
            number(formats.decimal(_float(record.value), 3)),
            number(formats.interval(_float(record.low), _float(record.high), lambda x: formats.decimal(x, 3))),
            Cell(words.known("note", _level_text(record.note))),
        ]
        for record in records(odds.sort_values(["feature", "level"]))
    ]
    columns = [
        Cell(words("origin.feature")),
        Cell(words("who.level")),
        Cell(words("why.reference")),
        number(words("why.ratio")),
        number(words("who.interval")),
        Cell(words("why.note")),
    ]
    return [
        Figure(words("why.odds"), takeaway, picture, words("why.odds_note")),
        Details(words("why.odds_all", n=len(rows)), [TableBlock(words("why.odds"), columns, rows)]),
    ]


def _rows_behind(facts: ReportFacts, record: Any) -> float:
    """The number of labelled rows of the rarer of the two levels of an odds ratio; for a number, of all."""
    rates = facts.attribute_rates[facts.attribute_rates["attribute"] == record.feature]
    if not _level_text(record.reference) or rates.empty:
        return float("inf")

    def rows_of(level: str) -> float:
        kinds = {MISSING: rates["kind"] == "missing", OTHER: rates["kind"] == "other"}
        is_known = ~rates["kind"].isin(["missing", "other"])
        at = kinds.get(level, is_known if level == "known" else is_known & (rates["level"] == level))
        return float(rates.loc[at, "rows"].sum())

    return min(rows_of(_level_text(record.level)), rows_of(_level_text(record.reference)))


def _odds_label(facts: ReportFacts, record: Any, voice: ReportVoice) -> str:
    feature = facts.meaning(str(record.feature), voice.language)
    level, reference = (voice.words.level(_level_text(text)) for text in (record.level, record.reference))
    if not reference:
        return voice.words("why.per", feature=feature, unit=_readable(level, voice))
    return voice.words("why.against", feature=feature, level=level, reference=_reference(reference, voice))


def _reference(reference: str, voice: ReportVoice) -> str:
    """The reference level; the models' "known" stands for every value that is not missing."""
    return voice.words("level.known") if reference == "known" else reference


def _dependences(
    facts: ReportFacts, frame: pd.DataFrame, dependence: pd.DataFrame, board: Board, voice: ReportVoice
) -> list[Figure]:
    """The most important features, all on one scale of probability."""
    formats = voice.formats
    ranked = _of_model(frame, "permutation", board.champion).sort_values("value", ascending=False)["feature"]
    present = list(dict.fromkeys(dependence["feature"]))
    features = [name for name in dict.fromkeys([*ranked, *present]) if name in present][:DEPENDENCES_DRAWN]
    shown = dependence[dependence["feature"].isin(features)]["value"].astype(float)
    reach = (0.0, min(1.0, 1.05 * float(shown.max())))
    figures = []
    for name in features:
        rows = dependence[dependence["feature"] == name]
        known = rows[rows["level"] != MISSING]
        numbers = [_parsed(level) for level in known["level"]]
        is_line = len(known) > 1 and all(number_ is not None for number_ in numbers)
        points = [
            (voice.words.level(_level_text(level)), float(value))
            for level, value in (known if is_line else rows)[["level", "value"]].itertuples(index=False)
        ]
        positions = None
        if is_line:
            order = np.argsort(np.array(numbers, dtype=float), kind="stable")
            points = [points[place] for place in order]
            positions = np.sort(np.array(numbers, dtype=float))
        else:
            points.sort(key=lambda point: -point[1])
        title = _capital(facts.meaning(name, voice.language))
        lowest, highest = min(points, key=lambda point: point[1]), max(points, key=lambda point: point[1])
        low, high = formats.percent(lowest[1]), formats.percent(highest[1])
        ends = {"lowest": _point(lowest[0], voice), "highest": _point(highest[0], voice)}
        takeaway = voice.words("why.dependence_flat", rate=low)
        if low != high:
            takeaway = voice.words("why.dependence_takeaway", low=low, high=high, **ends)
        if is_line and len(known) < len(rows):
            without = float(rows.loc[rows["level"] == MISSING, "value"].iloc[0])
            takeaway += voice.words("why.dependence_missing", rate=formats.percent(without))
        alt = f"{title}. {takeaway} {'; '.join(f'{label} {formats.percent(value)}' for label, value in points)}"
        picture = _dependence(f"why-dependence-{name}", points, positions, reach, alt, voice)
        figures.append(Figure(title, takeaway, picture))
    return figures


def _dependence(
    name: str, points: list[tuple[str, float]], positions: Floats | None, reach: tuple[float, float], alt: str,
    voice: ReportVoice,
) -> Picture:  # fmt: skip
    """The mean probability if all rows had this value: a line for numbers, bars for levels."""
    formats = voice.formats

    def percent(value: float) -> str:
        return formats.percent(value, 1 if reach[1] - reach[0] < 0.1 else 0)

    if positions is None:
        levels = [Bar(label, value, percent(value)) for label, value in points]
        return bars(name, levels, alt, most=reach[1], is_small=True)
    line = Series("", positions, np.array([value for _, value in points]), role="main", has_dots=True)
    margin = 0.04 * float(np.ptp(positions))
    across = (float(positions[0]) - margin, float(positions[-1]) + margin)
    return lines(name, [line], alt, (formats.short, percent), ("", ""), limits=(across, reach), is_small=True)


def _ends(record: Any) -> tuple[float, float, float]:
    """Value and interval; NaN if there is none."""
    value, low, high = (float(end) if is_number(end) else math.nan for end in (record.value, record.low, record.high))
    return value, low, high


def _has_value(frame: pd.DataFrame) -> pd.Series:
    """Which rows have a number; also for a frame without rows."""
    return frame["value"].map(is_number).astype(bool)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _float(value: Any) -> float | None:
    return float(value) if is_number(value) else None


def _level_text(value: Any) -> str:
    return "" if value is None or (isinstance(value, float) and np.isnan(value)) else str(value)


def _parsed(level: Any) -> float | None:
    try:
        return known(float(level))
    except (TypeError, ValueError):
        return None


def _point(level: str, voice: ReportVoice) -> str:
    """A grid point in a sentence: a number, or a level in quotation marks."""
    value = _parsed(level)
    return voice.words("who.quoted", level=level) if value is None else voice.formats.short(value)


def _readable(level: str, voice: ReportVoice) -> str:
    value = _parsed(level)
    if value is None:
        return level
    return ("+" if level.startswith("+") else "") + voice.formats.short(value)
