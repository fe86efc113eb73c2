"""Section "what the models go by": odds ratios, importances, partial dependence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from otklik.page.blocks import Block, Cell, Details, Figure, Grid, Heading, Paragraph, Table, head, number
from otklik.page.formats import is_number
from otklik.report import charts
from otklik.report.board import Board
from otklik.report.facts import ReportFacts, records
from otklik.report.texts import Voice

ODDS_DRAWN = 16
IMPORTANCES_DRAWN = 12
DEPENDENCES_DRAWN = 6


def section(facts: ReportFacts, board: Board, voice: Voice) -> list[Block]:
    """What stands behind the scores, as pictures; every odds ratio as a table."""
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
    """Rows of a kind, of the champion where it has them, else of the first model that does."""
    rows = frame[frame["kind"] == kind]
    if rows.empty:
        return rows
    models = list(dict.fromkeys(rows["model"]))
    return rows[rows["model"] == (champion if champion in models else models[0])]


def _importance(facts: ReportFacts, rows: pd.DataFrame, kind: str, voice: Voice) -> Figure | None:
    rows = rows[_has_value(rows)].sort_values(["value", "feature"], ascending=[False, True])
    if rows.empty:
        return None
    shown = rows.head(IMPORTANCES_DRAWN)
    weights = [
        charts.Weight(_capital(facts.meaning(str(record.feature), voice.language)), _estimate(record, voice))
        for record in records(shown)
    ]
    title = voice.words(f"why.{kind}", model=voice.words.known("model", str(rows["model"].iloc[0])))
    listed = "; ".join(f"{weight.label} {weight.estimate.text}" for weight in weights)
    alt = voice.words("why.importance_alt", title=title, weights=listed)
    takeaway = voice.words(f"why.{kind}_takeaway", feature=weights[0].label)
    return Figure(title, takeaway, charts.importances(f"why-{kind}", weights, alt))


def _odds(facts: ReportFacts, odds: pd.DataFrame, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    far = np.abs(np.log(odds["value"].to_numpy(dtype=float)))
    sure = (odds["low"] > 1) | (odds["high"] < 1) | odds["low"].isna()
    ordered = odds.assign(_far=far, _sure=sure).sort_values(
        ["_sure", "_far", "feature", "level"], ascending=[False, False, True, True]
    )
    drawn = ordered.head(ODDS_DRAWN).sort_values("value", ascending=False)
    weights = [
        charts.Weight(_odds_label(facts, record, voice), _estimate(record, voice, digits=2))
        for record in records(drawn)
    ]
    strongest = ordered.iloc[0]
    listed = "; ".join(f"{weight.label} {weight.estimate.text}" for weight in weights)
    picture = charts.odds_ratios(
        "why-odds",
        weights,
        (words("why.odds_lower"), words("why.odds_higher")),
        words("why.odds_alt", weights=listed),
        formats.short,
    )
    takeaway = words(
        "why.odds_takeaway",
        label=_capital(_odds_label(facts, strongest, voice)),
        value=formats.decimal(strongest["value"], 2),
    )
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
        Details(words("why.odds_all", n=len(rows)), [Table(words("why.odds"), columns, rows)]),
    ]


def _odds_label(facts: ReportFacts, record: Any, voice: Voice) -> str:
    feature = facts.meaning(str(record.feature), voice.language)
    level, reference = (voice.words.level(_level_text(text)) for text in (record.level, record.reference))
    if not reference:
        return voice.words("why.per", feature=feature, unit=_readable(level, voice))
    return voice.words("why.against", feature=feature, level=level, reference=_reference(reference, voice))


def _reference(reference: str, voice: Voice) -> str:
    """The level compared with; "known" is the models' word for every value that is not missing."""
    return voice.words("level.known") if reference == "known" else reference


def _dependences(
    facts: ReportFacts, frame: pd.DataFrame, dependence: pd.DataFrame, board: Board, voice: Voice
) -> list[Figure]:
    """The features that matter most, all on one scale of probability."""
    formats = voice.formats
    ranked = _of_model(frame, "permutation", board.champion).sort_values("value", ascending=False)["feature"]
    present = list(dict.fromkeys(dependence["feature"]))
    features = [name for name in dict.fromkeys([*ranked, *present]) if name in present][:DEPENDENCES_DRAWN]
    shown = dependence[dependence["feature"].isin(features)]["value"].astype(float)
    reach = (0.0, min(1.0, 1.05 * float(shown.max())))
    figures = []
    for name in features:
        rows = dependence[dependence["feature"] == name]
        numbers = [_parsed(level) for level in rows["level"]]
        points = [
            (voice.words.level(_level_text(level)), float(value))
            for level, value in zip(rows["level"], rows["value"], strict=True)
        ]
        positions = None
        if all(number_ is not None for number_ in numbers) and len(points) > 1:
            order = np.argsort(np.array(numbers, dtype=float), kind="stable")
            points = [points[place] for place in order]
            positions = np.sort(np.array(numbers, dtype=float))
        else:
            points.sort(key=lambda point: -point[1])
        title = _capital(facts.meaning(name, voice.language))
        lowest, highest = min(points, key=lambda point: point[1]), max(points, key=lambda point: point[1])
        takeaway = voice.words(
            "why.dependence_takeaway",
            lowest=_point(lowest[0], voice),
            low=formats.percent(lowest[1]),
            highest=_point(highest[0], voice),
            high=formats.percent(highest[1]),
        )
        alt = f"{title}. {takeaway} {'; '.join(f'{label} {formats.percent(value)}' for label, value in points)}"
        picture = charts.partial_dependence(
            f"why-dependence-{name}",
            points,
            positions,
            reach,
            (formats.short, lambda value: formats.percent(value, 1 if reach[1] - reach[0] < 0.1 else 0)),
            alt,
        )
        figures.append(Figure(title, takeaway, picture))
    return figures


def _estimate(record: Any, voice: Voice, digits: int = 3) -> charts.Estimate:
    value, low, high = (_float(end) for end in (record.value, record.low, record.high))
    missing = float("nan")
    return charts.Estimate(
        missing if value is None else value,
        missing if low is None else low,
        missing if high is None else high,
        voice.formats.decimal(value, digits),
    )


def _has_value(frame: pd.DataFrame) -> pd.Series:
    """Which rows hold a number; also of a frame without rows."""
    return frame["value"].map(is_number).astype(bool)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _float(value: Any) -> float | None:
    return float(value) if is_number(value) else None


def _level_text(value: Any) -> str:
    return "" if value is None or (isinstance(value, float) and np.isnan(value)) else str(value)


def _parsed(level: Any) -> float | None:
    try:
        value = float(level)
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) else None


def _point(level: str, voice: Voice) -> str:
    """A grid point in a sentence: a number as it is, a level in quotation marks."""
    value = _parsed(level)
    return voice.words("who.quoted", level=level) if value is None else voice.formats.short(value)


def _readable(level: str, voice: Voice) -> str:
    value = _parsed(level)
    if value is None:
        return level
    return ("+" if level.startswith("+") else "") + voice.formats.short(value)
