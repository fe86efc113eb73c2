"""The page of a segment task: the segments, their properties, their value, and transitions between them."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import cast

import numpy as np
import pandas as pd

from otklik.insights.segment.kind import OTHER, SegmentTask
from otklik.insights.segment.texts import TEXTS
from otklik.kind import Measure, Reader
from otklik.page import figures
from otklik.page.blocks import Block, Cell, Figure, Paragraph, Section, TableBlock, head, heads, number
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice

#: Differences, in standard deviations of all customers: smaller ones are not mentioned, larger ones are "much".
_WORTH_A_WORD, _MUCH = 0.25, 1.0
#: Maximum number of features to name, and of other properties.
_FEATURES, _OTHERS = 4, 3


__all__ = ["TEXTS", "section"]


def section(read: Reader, task: SegmentTask, voice: Voice) -> Page:
    """The page of a segment task."""
    found = read.table("segments").toPandas()
    segments = found.sort_values(["customers", "segment"], ascending=[False, True], ignore_index=True)
    parts: list[tuple[str, list[Block]]] = [
        ("cards", _cards(read, task, voice, segments)),
        ("worth", _worth(read, task, voice, segments)),
        ("moves", _moves(read, task, voice, segments)),
        ("scores", _scores(read, task, voice) if task.method == "rfm" else []),
        ("choice", _choice(read, task, voice, segments) if task.method != "rfm" else []),
        ("reading", _reading(read, task, voice)),
    ]
    return Page(
        task.title[voice.language],
        task.question[voice.language],
        _answer(read, task, voice, segments),
        [Section(anchor, voice.words(f"section.{anchor}"), blocks) for anchor, blocks in parts if blocks],
    )


def _title(segment: str, task: SegmentTask, voice: Voice) -> str:
    """Title of a segment."""
    if task.method != "rfm":
        return voice.words("segment.number", n=segment)
    if segment == OTHER or segment not in task.rfm.segments:
        return voice.words("segment.other")
    return task.rfm.segments[segment].title[voice.language]


def _property(name: str, task: SegmentTask, voice: Voice) -> str:
    if task.method == "rfm":
        return voice.words(f"property.{name}")
    label = task.clusters.labels.get(name)
    return name.replace("_", " ") if label is None else label[voice.language]


def _answer(read: Reader, task: SegmentTask, voice: Voice, segments: pd.DataFrame) -> Answer:
    words, formats = voice.words, voice.formats
    customers = segments["customers"].sum()
    largest = segments.iloc[segments["customers"].argmax()]
    sizes = words(
        "answer.sizes", n=formats.integer(customers), k=int((segments["customers"] > 0).sum()),
        title=_title(largest["segment"], task, voice), share=formats.percent(float(largest["share"])),
    )  # fmt: skip
    worth = [] if (best := _best(read)) is None else [_of_best(best, read, task, voice, segments)]
    reasons = [voice.told(reason, "reason") for reason in read.verdict.reasons]
    is_good = read.verdict.verdict in ("gain", "descriptive")
    return Answer(
        read.verdict.verdict,
        words(f"verdict.{read.verdict.verdict}"),
        [sizes, *worth, *reasons] if is_good else [*reasons, sizes, *worth],
        _key_figures(read, task, voice, segments),
    )


def _best(read: Reader) -> Measure | None:
    """The highest lift of any segment."""
    lifts = read.measures[read.measures["measure"] == "value_lift"]
    return (
        None if lifts.empty else read.measure("value_lift", str(lifts.loc[lifts["value"].idxmax(), "subject"]), "next")
    )


def _of_best(best: Measure, read: Reader, task: SegmentTask, voice: Voice, segments: pd.DataFrame) -> str:
    formats = voice.formats
    row = segments.set_index("segment").loc[best.subject]
    chance = read.measure("random_lift", best.subject, "next")
    return voice.words(
        "answer.worth",
        title=_title(best.subject, task, voice),
        share=formats.percent(float(row["value_customers"] / segments["value_customers"].sum())),
        value=formats.percent(float(row["value_share"])),
        lift=formats.decimal(best.value, 2),
        low=formats.decimal(chance.low if chance else None, 2),
        high=formats.decimal(chance.high if chance else None, 2),
    )


def _key_figures(read: Reader, task: SegmentTask, voice: Voice, segments: pd.DataFrame) -> list[KeyFigure]:
    words, formats = voice.words, voice.formats

    def interval(one: Measure) -> str:
        return formats.interval(one.low, one.high, lambda x: formats.decimal(x, 2))

    stability = cast(Measure, read.measure("stability", split="resamples"))
    shown = [
        KeyFigure(
            words("figure.segments"), formats.integer((segments["customers"] > 0).sum()),
            words("figure.of_customers", n=formats.integer(segments["customers"].sum())),
        ),
        KeyFigure(
            words("measure.stability"), formats.decimal(stability.value, 2),
            words("figure.stability_note", interval=interval(stability))
            if interval(stability)
            else words("figure.stability_note_alone"),
        ),
    ]  # fmt: skip
    if spread := read.measure("value_spread", split="next"):
        reach = formats.percent_interval(spread.low, spread.high)
        note = words("figure.spread_note", interval=reach, random=formats.percent(spread.baseline, 0))
        shown.append(KeyFigure(words("measure.value_spread"), formats.percent(spread.value, 0), note))
    if best := _best(read):
        note = words("figure.best_note", title=_title(best.subject, task, voice))
        shown.append(KeyFigure(words("figure.best"), formats.decimal(best.value, 2), note))
    elif silhouette := read.measure("silhouette", split="sample"):
        note = words(
            "figure.silhouette_note", interval=interval(silhouette), random=formats.decimal(silhouette.baseline, 2)
        )
        shown.append(KeyFigure(words("figure.silhouette"), formats.decimal(silhouette.value, 2), note))
    return shown


def _cards(read: Reader, task: SegmentTask, voice: Voice, segments: pd.DataFrame) -> list[Block]:
    words, formats = voice.words, voice.formats
    present = segments[segments["customers"] > 0]
    profiles = read.table("profiles").toPandas()
    bars = [
        figures.Bar(
            _title(row["segment"], task, voice), row["share"],
            f"{formats.percent(row['share'])} ({formats.integer(row['customers'])})", place == 0,
        )
        for place, row in enumerate(present.to_dict("records"))
    ]  # fmt: skip
    most = min(3, len(present))
    takeaway = words("cards.sizes_takeaway", most=most, share=formats.percent(present["share"].head(most).sum()))
    rows = [
        [
            head(_title(row["segment"], task, voice)),
            number(formats.integer(row["customers"]), formats.percent(row["share"])),
            Cell(_what_sets_apart(profiles[profiles["segment"] == row["segment"]], task, voice), "long"),
        ]
        for row in present.to_dict("records")
    ]
    titles = [Cell(words("cards.segment")), number(words("cards.customers")), Cell(words("cards.words"))]
    return [
        Figure(words("cards.sizes"), takeaway, figures.bars("sizes", bars, words("cards.sizes"))),
        TableBlock(words("cards.apart"), titles, rows, note=words("cards.note")),
    ]


def _what_sets_apart(profile: pd.DataFrame, task: SegmentTask, voice: Voice) -> str:
    """The properties that differ most, the largest difference first."""
    known = profile[profile["difference"].abs() >= _WORTH_A_WORD]
    order = known["difference"].abs().sort_values(ascending=False, kind="stable").index
    features, others = (known.loc[order].query(f"is_feature == {which}") for which in (True, False))
    said = []
    for row in pd.concat([features.head(_FEATURES), others.head(_OTHERS)]).to_dict("records"):
        much = "much_" if abs(row["difference"]) >= _MUCH else ""
        direction = "more" if row["difference"] > 0 else "less"
        said.append(
            voice.words(
                f"cards.{much}{direction}",
                name=_property(row["property"], task, voice),
                mean=_readable(row["mean"], voice),
                overall=_readable(row["overall_mean"], voice),
            )
        )
    return "; ".join(said) or voice.words("cards.average")


def _readable(value: float, voice: Voice) -> str:
    """A mean with as many digits as needed."""
    return voice.formats.decimal(value, 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2)


def _worth(read: Reader, task: SegmentTask, voice: Voice, segments: pd.DataFrame) -> list[Block]:
    best = _best(read)
    if best is None:
        return []
    words, formats = voice.words, voice.formats
    lifts = read.measures[read.measures["measure"] == "value_lift"].sort_values("value", ascending=False)
    rows, shown = [], []
    of_segment = segments.set_index("segment")
    for one in lifts.to_dict("records"):
        title = _title(one["subject"], task, voice)
        shown.append(
            figures.Dot(
                title, one["value"], one["low"], one["high"], text=formats.decimal(one["value"], 2),
                is_emphasised=one["subject"] == best.subject,
            )
        )  # fmt: skip
        row, chance = of_segment.loc[one["subject"]], read.measure("random_lift", one["subject"], "next")
        rows.append(
            [
                head(title),
                number(formats.integer(row["value_customers"])),
                number(formats.money(row["value_mean"], task.currency[voice.language])),
                number(formats.percent(row["value_share"])),
                number(voice.estimate(one["value"], one["low"], one["high"], 2)),
                number(
                    "" if chance is None else formats.interval(chance.low, chance.high, lambda x: formats.decimal(x, 2))
                ),
            ]
        )
    titles = ["cards.segment", "worth.customers", "worth.mean", "worth.share", "worth.lift", "worth.chance"]
    title = words("worth.lifts")
    picture = figures.dots(
        "lifts", shown, title, lambda x: formats.short(round(x, 2)), words=(words("worth.own"), ""),
        reference=(1.0, words("worth.all")),
    )  # fmt: skip
    takeaway = words(
        "worth.takeaway", title=_title(best.subject, task, voice), lift=words("times", n=formats.decimal(best.value, 2))
    )
    return [
        Paragraph(words("worth.value_is", what=_value_is(read, task, voice)), "note"),
        Figure(title, takeaway, picture),
        TableBlock(words("worth.table"), heads(*(words(key) for key in titles)), rows),
    ]


def _value_is(read: Reader, task: SegmentTask, voice: Voice) -> str:
    days = task.rfm.compare_days_before
    if task.method != "rfm" or days is None:
        return task.clusters.value_is[voice.language]
    return voice.words("worth.of_days", days=days, day=voice.formats.day(read.as_of - timedelta(days=days)))


def _moves(read: Reader, task: SegmentTask, voice: Voice, segments: pd.DataFrame) -> list[Block]:
    moved = read.table("transitions").toPandas()
    if moved.empty:
        return []
    words, formats = voice.words, voice.formats
    counts = moved.pivot_table("customers", "segment_before", "segment", fill_value=0)
    # In the order of the segments; customers without one, then or now, come last.
    order = [*segments["segment"], ""]
    counts = counts.reindex(
        index=[name for name in order if name in counts.index],
        columns=[name for name in order if name in counts.columns],
    )
    both = counts.loc[[name for name in counts.index if name], [name for name in counts.columns if name]]
    stayed = sum(both.loc[name, name] for name in both.index if name in both.columns) / max(both.to_numpy().sum(), 1)
    titles = {name: words("moves.none") if not name else _title(name, task, voice) for name in order}
    # With many columns there is no room for names.
    numbers = {name: str(place) for place, name in enumerate(order, start=1)} | {"": "—"}
    rows = [titles[name] if not name else f"{numbers[name]} {titles[name]}" for name in counts.index]
    columns = [numbers[name] for name in counts.columns]
    shares = counts.div(counts.sum(axis=1), axis=0).to_numpy(dtype=np.float64)
    shares[shares == 0] = math.nan
    days = task.rfm.compare_days_before if task.method == "rfm" else None
    title = (
        words("moves.title_undated")
        if days is None
        else words("moves.title", day=formats.day(read.as_of - timedelta(days=days)))
    )
    picture = figures.heat_map(
        "moves", shares, (rows, columns), title, lambda x: formats.integer(100 * x),
        words=(words("moves.before"), words("moves.now")),
    )  # fmt: skip
    return [Figure(title, words("moves.takeaway", share=formats.percent(stayed)), picture)]


def _scores(read: Reader, task: SegmentTask, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    grid = read.table("scores").groupBy("recency_score", "frequency_score").count().toPandas()
    levels = range(1, task.rfm.levels + 1)
    counts = grid.pivot_table("count", "recency_score", "frequency_score").reindex(index=levels[::-1], columns=levels)
    numbers = counts.to_numpy(dtype=np.float64)
    share = float(np.nan_to_num(numbers[0, -1]) / np.nansum(numbers))
    scores = [formats.integer(level) for level in levels]
    picture = figures.heat_map(
        "grid", numbers, (scores[::-1], scores), words("scores.grid"), formats.integer,
        words=(words("scores.recency"), words("scores.frequency")),
    )  # fmt: skip
    cuts = read.table("model").toPandas().sort_values(["property", "place"])
    rows = [
        [
            head(_property(name, task, voice)),
            *(number(formats.short_decimal(cut)) for cut in cuts[cuts["property"] == name]["value"]),
        ]
        for name in ("recency", "frequency", "monetary")
    ]
    is_ranked = task.rfm.scores == "rank_fifths"
    places = [formats.percent(place / task.rfm.levels, 0) for place in range(1, task.rfm.levels)]
    return [
        Paragraph(words(f"scores.{task.rfm.scores}"), "note"),
        Figure(words("scores.grid"), words("scores.grid_takeaway", share=formats.percent(share)), picture),
        TableBlock(words("scores.rank_cuts" if is_ranked else "scores.cuts"), heads("", *places), rows),
    ]


def _choice(read: Reader, task: SegmentTask, voice: Voice, segments: pd.DataFrame) -> list[Block]:
    words, formats = voice.words, voice.formats
    numbers = sorted(task.clusters.k)
    measured = {
        name: [cast(Measure, read.measure(name, f"k={k}", split)) for k in numbers]
        for name, split in (("silhouette", "sample"), ("stability", "resamples"))
    }
    k, minimum = int((segments["customers"] > 0).sum()), task.evaluation.minimum_stability
    is_stable = any((one.value or 0.0) >= minimum for one in measured["stability"])
    key = "choice.fixed" if len(numbers) == 1 else "choice.takeaway" if is_stable else "choice.unstable"
    rows = [
        [number(formats.integer(k)), *(number(voice.estimate(one.value, one.low, one.high)) for one in of_k)]
        for k, *of_k in zip(numbers, measured["silhouette"], measured["stability"], strict=True)
    ]
    table = TableBlock(
        words("choice.table"),
        heads(words("choice.k"), words("choice.silhouette"), words("choice.stability"), numbers_from=0),
        rows,
        emphasised=frozenset({numbers.index(k)} if k in numbers else ()),
    )
    takeaway = words(key, k=k, minimum=formats.decimal(minimum, 2))
    if len(numbers) == 1:
        return [Paragraph(takeaway, "takeaway"), table]
    series = [
        figures.Series(
            words(f"choice.{name}"), np.array(numbers, dtype=np.float64), np.array([one.value for one in of_k]),
            role="main" if name == "silhouette" else "other",
        )
        for name, of_k in measured.items()
    ]  # fmt: skip
    picture = figures.lines(
        "choice", series, words("choice.title"), (formats.integer, formats.short), (words("choice.k"), ""),
        ticks=[(float(k), formats.integer(k)) for k in numbers], mark=None,
    )  # fmt: skip
    return [Figure(words("choice.title"), takeaway, picture), table]


def _reading(read: Reader, task: SegmentTask, voice: Voice) -> list[Block]:
    said = [voice.words("reading.stability", resamples=task.evaluation.resamples)]
    said += [voice.words("reading.structure")] if task.method != "rfm" else []
    said += [voice.words("reading.worth")] if _best(read) is not None else []
    return [Paragraph(text, "note") for text in said]
