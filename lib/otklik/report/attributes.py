"""Section "who responds": distribution and response rate of every attribute, and notable levels."""

from __future__ import annotations

from typing import Any

import pandas as pd

from otklik.page.blocks import Block, Cell, Details, Figure, Grid, Paragraph, TableBlock, head, heads, number
from otklik.page.formats import is_number
from otklik.report import charts
from otklik.report.facts import ReportFacts, records
from otklik.report.rates import CoarseBand, coarse_band, strength, with_rates
from otklik.report.texts import ReportVoice, ReportWords

#: Number of figures if the task does not say which attributes to show.
DRAWN_BY_DEFAULT = 16


def section(facts: ReportFacts, voice: ReportVoice) -> list[Block]:
    """Figures of the declared attributes (or of those that separate the answers best), and a table of all."""
    rates = facts.attribute_rates
    if rates.empty or not rates["rows"].sum():
        return [Paragraph(voice.words("who.none"), "note")]
    names = list(dict.fromkeys(rates["attribute"]))
    drawn = _drawn(facts, names)
    overall = overall_rate(rates)
    figures = [_figure(facts, voice, name, overall) for name in drawn]
    blocks: list[Block] = [
        Paragraph(voice.words("who.lead", overall=voice.formats.percent(overall))),
        Grid(figures, is_packed=True),
    ]
    if len(drawn) < len(names) and not facts.task.report.attributes:
        blocks.append(Paragraph(voice.words("who.more_note", shown=len(drawn), n=len(names)), "note"))
    blocks.append(Details(voice.words("who.more", n=len(names)), [_table(facts, voice, names)]))
    return blocks


def overall_rate(rates: pd.DataFrame) -> float:
    """The response rate of all labelled rows, from the counts of any one attribute."""
    first = rates[rates["attribute"] == rates["attribute"].iloc[0]]
    return float(first["positives"].sum() / max(first["rows"].sum(), 1))


def level_label(record: Any, voice: ReportVoice) -> str:
    """Label of a level or band: `50–59`, `60 and over`, `married`, `(missing)`."""
    words = voice.words
    if record.kind in ("missing", "other"):
        return words(f"level.{record.kind}")
    if record.kind == "level":
        return words.level(str(record.level))
    return band_label(float(record.low), float(record.high), bool(record.whole), voice)


def band_label(low: float, high: float, whole: bool, voice: ReportVoice) -> str:
    """Label of a band low ≤ x < high; bands of whole numbers name their last value."""
    words, formats = voice.words, voice.formats
    if not is_number(low):
        return words("level.below", high=formats.short(high))
    if not is_number(high):
        return words("level.above", low=formats.short(low))
    last = high - 1 if whole else high
    if last == low:
        return formats.short(low)
    return formats.interval(low, last, lambda value: formats.short(float(value or 0)))


def _drawn(facts: ReportFacts, names: list[str]) -> list[str]:
    declared = [name for name in facts.task.report.attributes if name in names]
    if declared:
        return declared
    rates = facts.attribute_rates
    usable = [name for name in names if not _is_known_after(facts, name)]
    weights = {name: strength(rates[rates["attribute"] == name]) for name in usable}
    kept = set(sorted(usable, key=lambda name: (-weights[name], name))[:DRAWN_BY_DEFAULT])
    return sorted(kept, key=lambda name: (-weights[name], name))


def _is_known_after(facts: ReportFacts, name: str) -> bool:
    return any(doc.name == name and doc.is_known_after for doc in facts.features)


def _title(facts: ReportFacts, voice: ReportVoice, name: str) -> str:
    meaning = facts.meaning(name, voice.language)
    return meaning[:1].upper() + meaning[1:]


def _ordered(rates: pd.DataFrame) -> pd.DataFrame:
    """Bands in order; levels by descending rate; other and missing last."""
    rated = with_rates(rates)
    place = rated["kind"].map({"level": 0, "band": 0, "other": 1, "missing": 2})
    within = rated["position"].astype(float).where(rated["kind"] == "band", -rated["rate"])
    return rated.assign(_place=place, _within=within).sort_values(["_place", "_within", "position"], ignore_index=True)


def _marked(rates: pd.DataFrame, overall: float, rows_to_speak: int) -> pd.DataFrame:
    """Add is_above and is_below: levels that differ significantly from the average."""
    speaks = (rates["rows"] >= rows_to_speak) & (rates["kind"] != "other")
    return rates.assign(
        is_above=speaks & (rates["rate_low"] > overall), is_below=speaks & (rates["rate_high"] < overall)
    )


def _figure(facts: ReportFacts, voice: ReportVoice, name: str, overall: float) -> Figure:
    enough = facts.task.report.rows_to_speak
    rates = _marked(_ordered(facts.attribute_rates[facts.attribute_rates["attribute"] == name]), overall, enough)
    percent = voice.formats.percent
    total = rates["rows"].sum()
    labels = [level_label(record, voice) for record in records(rates)]
    levels = [
        charts.LevelRow(
            label=label,
            share=float(record.rows / total),
            rate=float(record.rate),
            low=float(record.rate_low),
            high=float(record.rate_high),
            share_text=percent(record.rows / total, 0 if record.rows / total >= 0.01 else 1),
            rate_text=percent(record.rate),
            stands_out=bool(record.is_above or record.is_below),
        )
        for label, record in zip(labels, records(rates), strict=True)
    ]
    steady = [level.high for level, rows in zip(levels, rates["rows"], strict=True) if rows >= enough]
    reach = min(1.0, 1.05 * max([overall * 1.5, *steady]))
    title = _title(facts, voice, name)
    listed = "; ".join(f"{level.label} {level.rate_text}" for level in levels)
    alt = voice.words("who.alt", attribute=title, levels=listed, overall=percent(overall))
    picture = charts.attribute(
        f"who-{name}", levels, overall, (voice.words("who.share"), voice.words("who.rate")), alt, reach
    )
    note = voice.words("level.after_only") if _is_known_after(facts, name) else ""
    return Figure(title, _takeaway(voice, rates, labels, overall), picture, note)


def _takeaway(voice: ReportVoice, rates: pd.DataFrame, labels: list[str], overall: float) -> str:
    """One sentence: about a coarse band, or levels that differ significantly from the average, or that none does."""
    words, percent = voice.words, voice.formats.percent
    coarse = _coarse(rates)
    if coarse is not None:
        return _coarse_sentence(voice, coarse, bool(rates["whole"].iloc[0]), overall)
    named = rates.assign(label=labels)
    above = named[named["is_above"]].sort_values("rate", ascending=False)
    below = named[named["is_below"]].sort_values("rate")
    if above.empty and below.empty:
        return words("who.takeaway_none", overall=percent(overall))
    best = "" if above.empty else _quoted(above.iloc[0], words)
    worst = "" if below.empty else _quoted(below.iloc[0], words)
    if below.empty:
        return words("who.takeaway_up", best=best, best_rate=percent(above["rate"].iloc[0]))
    if above.empty:
        return words("who.takeaway_down", worst=worst, worst_rate=percent(below["rate"].iloc[0]))
    return words(
        "who.takeaway",
        best=best, best_rate=percent(above["rate"].iloc[0]), worst=worst, worst_rate=percent(below["rate"].iloc[0]),
    )  # fmt: skip


def _quoted(level: pd.Series, words: ReportWords) -> str:
    """A level in quotation marks; a band without."""
    return words("who.quoted", level=level["label"]) if level["kind"] == "level" else str(level["label"])


def _coarse(rates: pd.DataFrame) -> CoarseBand | None:
    bands = rates[rates["kind"] == "band"].sort_values("position")
    return coarse_band(bands)


def _coarse_sentence(voice: ReportVoice, coarse: CoarseBand, whole: bool, overall: float) -> str:
    percent = voice.formats.percent
    low = coarse.inner[0] if coarse.at_top else coarse.outer[0]
    high = coarse.outer[1] if coarse.at_top else coarse.inner[1]
    return voice.words(
        "who.coarse",
        wide=band_label(low, high, whole, voice),
        wide_rate=percent(coarse.positives / coarse.rows),
        overall=percent(overall),
        inner=band_label(coarse.inner[0], coarse.inner[1], whole, voice),
        inner_rate=percent(coarse.inner[3] / coarse.inner[2]),
        outer=band_label(coarse.outer[0], coarse.outer[1], whole, voice),
        outer_rate=percent(coarse.outer[3] / coarse.outer[2]),
    )


def _table(facts: ReportFacts, voice: ReportVoice, names: list[str]) -> TableBlock:
    words, formats = voice.words, voice.formats
    rows: list[list[Cell]] = []
    groups: dict[int, str] = {}
    for name in names:
        rates = _ordered(facts.attribute_rates[facts.attribute_rates["attribute"] == name])
        total = rates["rows"].sum()
        groups[len(rows)] = f"{_title(facts, voice, name)} · {name}"
        rows += [
            [
                head(level_label(record, voice)),
                number(formats.integer(record.rows)),
                number(formats.percent(record.rows / total)),
                number(formats.integer(record.positives)),
                number(formats.percent(record.rate)),
                number(formats.percent_interval(record.rate_low, record.rate_high)),
            ]
            for record in records(rates)
        ]
    titles = heads(
        words("who.level"), words("who.rows"), words("who.share"), words("who.positives"), words("who.rate"),
        words("who.interval"),
    )  # fmt: skip
    return TableBlock(words("section.who"), titles, rows, groups=groups)
