"""Section "how good the models are": the scoreboard as readable tables, the curves, the threshold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from otklik.page.blocks import (
    Block,
    Cell,
    Details,
    Figure,
    Grid,
    Heading,
    Paragraph,
    TableBlock,
    head,
    heads,
    number,
)  # fmt: skip
from otklik.page.drawing import Write
from otklik.page.figures import Dot, Floats, Series, dots, lines
from otklik.page.formats import NOTHING, is_number
from otklik.report.board import MAJORITY, Board, Row, is_below_majority, observed_rate
from otklik.report.columns import COLUMNS, BoardColumn, way_title
from otklik.report.facts import ReportFacts, records
from otklik.report.rates import Ranking, ranking, with_rates
from otklik.report.reductions import probability_of_bin
from otklik.report.story import moment_in_brackets, share_tested
from otklik.report.texts import ReportVoice


def section(facts: ReportFacts, board: Board, voice: ReportVoice) -> list[Block]:
    """Scoreboard, ways of counting, curves, confusion, champion."""
    words, formats, told = voice.words, voice.formats, board.told
    if told is None:
        return [Paragraph(words("answer.no_model"), "note")]
    folds, share = facts.task.splits.folds, formats.percent(share_tested(board), 0)
    lead = "models.lead" if board.split == "time" else "models.lead_random"
    blocks: list[Block] = [
        Paragraph(words(lead, share=share, folds=folds)),
        _main_table(facts, board, told, voice),
    ]
    ways = [
        (split, leaks)
        for leaks in ("without", "with")
        for split in ("time", "random")
        if board.has(leaks, split) and board.split in (split, "time")
    ]
    if len(ways) > 1:
        blocks.append(_ways_table(board, ways, voice))
    blocks.append(Paragraph(_champion_sentence(facts, voice), "note"))
    choice = _choice_table(facts, board, voice)
    if choice is not None:
        blocks.append(choice)
    blocks.append(Details(words("models.full", n=len(board.rows)), [_full_table(facts, board, voice)]))
    counts = facts.score_counts
    if counts is None:
        return [*blocks, Paragraph(words("models.no_curves"), "note")]
    mine = counts[(counts["leaks"] == "without") & (counts["split"] == board.split)]
    if not mine[mine["model"] == board.champion].empty:
        blocks.append(Heading(words("models.curves")))
        split = f", {words('split.' + board.split)}"
        blocks.append(Paragraph(words("models.curves_lead", model=words(f"model.{board.champion}"), split=split)))
        blocks.append(Grid([*_curves(board, told, mine, voice), _confusion(facts, mine, board, voice)]))
    return blocks


def _choice_table(facts: ReportFacts, board: Board, voice: ReportVoice) -> TableBlock | None:
    """Values of each candidate within the training part, by window, and on the test part."""
    words, formats, measures = voice.words, voice.formats, facts.measures
    inside = measures[measures["measure"] == "inside"].sort_values("value", ascending=False)
    regret = measures[measures["measure"] == "regret"]
    if inside.empty or regret.empty or board.split != "time":
        return None
    of_windows = measures[measures["split"].str.startswith("window ")]
    splits = sorted(of_windows["split"].unique(), key=lambda split: int(split.split()[1]))
    metric, chosen = str(of_windows["measure"].iloc[0]), str(regret["subject"].iloc[0])
    rows = []
    for record in records(inside):
        windows = of_windows[of_windows["subject"] == record.subject].set_index("split")["value"]
        later = board.row(record.subject, "without", "time")
        rows.append(
            [
                head(words(f"model.{record.subject}")),
                *(number(formats.decimal(windows.get(split))) for split in splits),
                number(formats.decimal(record.value)),
                number(NOTHING if later is None else formats.decimal(later[metric])),
            ]
        )
    titles = [Cell(words("models.model"))]
    titles += [number(words("models.window", n=split.split()[1])) for split in splits]
    titles += [number(words("models.inside")), number(words("models.later"))]
    said = words("models.choice", regret=formats.decimal(float(regret["value"].iloc[0])))
    emphasised = [*inside["subject"]].index(chosen)
    return TableBlock(words("models.choice_caption"), titles, rows, takeaway=said, emphasised=frozenset({emphasised}))


def day_and_customer(facts: ReportFacts, board: Board, voice: ReportVoice) -> Figure | None:
    """The AUC of every model over all pairs and within decision moments; None if the latter is undefined."""
    words, formats, told = voice.words, voice.formats, board.told
    rows = [row for row in board.models("without", board.split) if row["model"] != MAJORITY and is_number(row["auc"])]
    if told is None or not is_number(told["auc_within"]) or not rows:
        return None
    rows.sort(key=lambda row: -row["auc"])
    rows_of_figure = [_day_and_customer(row, board, voice) for row in rows]
    both = [(dot.label, formats.decimal(dot.baseline), formats.decimal(dot.value)) for dot in rows_of_figure]
    listed = "; ".join(f"{label} {overall}, {within}" for label, overall, within in both)
    picture = dots(
        "day-and-customer",
        rows_of_figure,
        words("when.split_alt", models=listed),
        lambda value: formats.decimal(value, 2),
        words=(words("when.within"), words("when.overall")),
        reference=(0.5, words("when.guess")),
        label_width=168.0,
    )
    overall, within, name = told["auc"], told["auc_within"], words(f"model.{told['model']}")
    if 0.5 < within < overall:
        above, remains = formats.decimal(overall - 0.5), formats.decimal(within - 0.5)
        takeaway = words("when.split_takeaway", above=above, within=remains, model=name)
    else:
        aucs = {"auc": formats.decimal(overall), "auc_within": formats.decimal(within)}
        takeaway = words("when.split_takeaway_plain", model=name, guess=formats.decimal(0.5, 1), **aucs)
    title = words("when.split_title", moment=moment_in_brackets(facts, voice))
    return Figure(title, takeaway, picture)


def _day_and_customer(row: Row, board: Board, voice: ReportVoice) -> Dot:
    """AUC within decision moments, with the pooled AUC as its baseline."""
    numbers = [
        [float(row[c]) if is_number(row[c]) else np.nan for c in (measure, f"{measure}_low", f"{measure}_high")]
        for measure in ("auc_within", "auc")
    ]
    (within, low, high), (overall, *ends) = numbers
    return Dot(
        voice.words(f"model.{row['model']}"), within, low, high, overall,
        is_emphasised=row["model"] == board.champion, beside=(ends[0], ends[1]),
    )  # fmt: skip


def _main_table(facts: ReportFacts, board: Board, told: Row, voice: ReportVoice) -> TableBlock:
    words, formats = voice.words, voice.formats
    rows = board.models("without", board.split)
    takeaway = words(
        "models.main_takeaway",
        majority=formats.percent(told["majority_accuracy"]),
        model=words(f"model.{told['model']}"),
        accuracy=formats.percent(told["accuracy"]),
        auc=formats.decimal(told["auc"]),
    )
    columns = _columns(facts, board, voice)
    titles = ["model", "auc", "within", "accuracy", "pr", "lift", "gain", "brier", "ece", "mean", "rate", "profit"]
    shown = [title for title in titles if title in columns]
    return TableBlock(
        words("models.main_caption", split=words(f"split.{board.split}")),
        heads(*(words(f"models.{title}") for title in shown)),
        [[columns[title](row) for title in shown] for row in rows],
        takeaway=takeaway,
        note=words("models.miscalibrated_note") if any(board.is_miscalibrated(row) for row in rows) else "",
        emphasised=frozenset(n for n, row in enumerate(rows) if row["model"] == board.champion),
        faded=frozenset(n for n, row in enumerate(rows) if row["model"] == MAJORITY),
    )


def _columns(facts: ReportFacts, board: Board, voice: ReportVoice) -> dict[str, Callable[[Row], Cell]]:
    """Every column of the scoreboard → its cell in a row, in the order of the full table."""
    words, formats = voice.words, voice.formats
    marks: dict[str, Callable[[Row], str]] = {
        "accuracy": lambda row: words("models.below") if is_below_majority(row) else "",
        "mean": lambda row: words("models.miscalibrated_mark") if board.is_miscalibrated(row) else "",
    }
    left_out = {"within": not facts.has_time, "profit": facts.task.decision is None}

    def model(row: Row) -> Cell:
        serves = row["model"] == board.champion and (row["split"], row["leaks"]) == (board.split, "without")
        return head(words.known("model", row["model"]), mark=words("models.champion") if serves else "")

    def measured(title: str, column: BoardColumn) -> Callable[[Row], Cell]:
        mark = marks.get(title)
        return lambda row: number(
            column.text(row, formats), column.interval(row, formats), "" if mark is None else mark(row)
        )

    return {
        "model": model,
        "calibration": lambda row: Cell(words(f"calibration.{row['calibration']}")),
        **{title: measured(title, column) for title, column in COLUMNS.items() if not left_out.get(title)},
    }


def _ways_table(board: Board, ways: Sequence[tuple[str, str]], voice: ReportVoice) -> TableBlock:
    """AUC and accuracy of every model for each split, with and without leaks; unusable ones are marked."""
    words, formats = voice.words, voice.formats
    names = [row["model"] for row in board.models("without", board.split)]
    titles = [Cell(words("models.model"))]
    for split, leaks in ways:
        usable = words("models.usable") if leaks == "without" else words("models.cannot")
        titles.append(Cell(way_title(split, leaks, words), "number", mark="" if leaks == "without" else usable))
    rows = []
    for name in names:
        cells = [head(words(f"model.{name}"))]
        for split, leaks in ways:
            row = board.row(name, leaks, split)
            if row is None:
                cells.append(number(NOTHING))
                continue
            auc, accuracy = (COLUMNS[title].text(row, formats) for title in ("auc", "accuracy"))
            cells.append(number(auc, accuracy, words("models.below") if is_below_majority(row) else ""))
        rows.append(cells)
    by_splits, by_leaks = (len({way[place] for way in ways}) > 1 for place in (0, 1))
    caption = "models.ways_caption" + ("" if by_splits and by_leaks else "_splits" if by_splits else "_leaks")
    return TableBlock(
        f"{words(caption)}: {words('models.auc')}, {words('models.accuracy').lower()}",
        titles,
        rows,
        faded=frozenset(n for n, name in enumerate(names) if name == MAJORITY),
        emphasised=frozenset(n for n, name in enumerate(names) if name == board.champion),
    )


def _full_table(facts: ReportFacts, board: Board, voice: ReportVoice) -> TableBlock:
    words, columns = voice.words, _columns(facts, board, voice)
    rows: list[list[Cell]] = []
    groups: dict[int, str] = {}
    faded = set()
    before = None
    for record in board.rows.to_dict("records"):
        row: Row = {str(key): value for key, value in record.items()}
        way = (row["split"], row["leaks"])
        if way != before:
            cannot = "" if row["leaks"] == "without" else f" — {words('models.cannot')}"
            groups[len(rows)] = f"{way_title(*way, words)}{cannot}"
            before = way
        if row["leaks"] == "with":
            faded.add(len(rows))
        rows.append([cell(row) for cell in columns.values()])
    titles = heads(*(words(f"models.{title}") for title in columns), numbers_from=2)
    return TableBlock(words("section.models"), titles, rows, groups=groups, faded=frozenset(faded))


def _champion_sentence(facts: ReportFacts, voice: ReportVoice) -> str:
    champion = facts.champion
    if champion is None:
        return voice.words("models.no_champion")
    said = voice.words("models.champion_text", **_model_in_words(champion, voice))
    challenger = facts.challenger
    if challenger is None:
        return said
    # Two trainings may have the same as-of moment: then the second one is the later.
    of_champion, of_challenger = ((row["trained_at"], row["sequence"]) for row in (champion, challenger))
    has_lost = not challenger["serves"] and of_challenger > of_champion
    fate = "models.challenger_lost" if has_lost else "models.challenger_other"
    margin = voice.formats.decimal(facts.task.champion.margin)
    return f"{said} {voice.words(fate, margin=margin, **_model_in_words(challenger, voice))}"


def _model_in_words(row: Mapping[str, Any], voice: ReportVoice) -> dict[str, str]:
    """A row of gold.model_runs as the parts of a sentence."""
    return {
        "model": voice.words(f"model.{row['model']}"),
        "metric": voice.words.known("metric", str(row["metric"])),
        "value": voice.formats.decimal(row["value"]),
        "moment": voice.formats.moment(pd.Timestamp(row["trained_at"])),
    }


def _curves(board: Board, told: Row, counts: pd.DataFrame, voice: ReportVoice) -> list[Figure]:
    """ROC, precision-recall, gain, lift and calibration curves of the champion, in front of the other models."""
    formats = voice.formats
    rankings = {
        str(name): ranking(group)
        for name, group in counts[counts["calibration"] == "calibrated"].groupby("model")
        if name != MAJORITY and group["positives"].sum() > 0
    }
    best = rankings[str(board.champion)]
    base = observed_rate(told)

    def percent0(value: float | None) -> str:
        return formats.percent(value, 0)

    tpr = float(np.interp(0.2, best.false_positive_rate, best.gain))
    half = float(np.interp(0.5, best.gain, best.precision))
    figures = []
    for name, x, y, straight, takeaway in (
        ("roc", "false_positive_rate", "gain", ([0.0, 1.0], [0.0, 1.0]), {"fpr": percent0(0.2), "tpr": percent0(tpr)}),
        ("pr", "gain", "precision", ([0.0, 1.0], [base, base]), {"precision": percent0(half), "base": percent0(base)}),
        ("gain", "share", "gain", ([0.0, 1.0], [0.0, 1.0]), {"gain": percent0(told["gain_50"])}),
    ):
        points = {model: _points(one, x, y) for model, one in rankings.items()}
        figures.append(_curve(name, points, straight, board, takeaway, (percent0, percent0), (0, 1), voice))
    lifts = {model: _lift(one) for model, one in rankings.items()}
    top = max(1.5, 1.1 * max(float(y.max()) for _, y in lifts.values()))
    lift_text = {"lift": formats.decimal(told["lift_10"], 1)}
    flat = ([0.0, 1.0], [1.0, 1.0])
    figures.append(_curve("lift", lifts, flat, board, lift_text, (percent0, formats.short), (0, top), voice))
    figures.append(_calibration(board, told, counts, voice))
    return figures


def _points(one: Ranking, x: str, y: str) -> tuple[Floats, Floats]:
    """Two metrics along a ranking; precision only from the first hundredth: before that it is noise."""
    first = int(np.searchsorted(one.share, 0.01)) if y == "precision" else 0
    xs, ys = getattr(one, x), getattr(one, y)
    return xs[first:], ys[first:]


def _lift(one: Ranking) -> tuple[Floats, Floats]:
    """Share taken and lift, only from the first hundredth: before that it is noise."""
    shares = np.concatenate([[0.01], one.share[one.share > 0.01]])
    return shares, np.interp(shares, one.share, one.gain) / shares


def _curve(
    name: str, points: Mapping[str, tuple[Floats, Floats]], straight: tuple[list[float], list[float]], board: Board,
    takeaway: dict[str, str], write: tuple[Write, Write], limits: tuple[float, float], voice: ReportVoice,
) -> Figure:  # fmt: skip
    """A curve per model, the champion's in front, and the straight line of the chance level."""
    words = voice.words
    title, sentence = words(f"curve.{name}"), words(f"curve.{name}_takeaway", **takeaway)
    series = [
        Series(model, x, y, role="main" if model == board.champion else "other") for model, (x, y) in points.items()
    ]
    series.sort(key=lambda one: one.role == "main")
    picture = lines(
        f"curve-{name}",
        [*series, Series("", np.array(straight[0]), np.array(straight[1]), role="baseline")],
        words("curve.alt", title=title, takeaway=sentence),
        write,
        (words(f"curve.{name}_x"), words(f"curve.{name}_y")),
        limits=((0, 1), limits),
        is_small=True,
    )
    return Figure(title, sentence, picture)


def _calibration(board: Board, told: Row, counts: pd.DataFrame, voice: ReportVoice) -> Figure:
    words, formats = voice.words, voice.formats
    mine = counts[counts["model"] == board.champion]
    bins = _tenths(mine[mine["calibration"] == "calibrated"])
    raw = mine[(mine["calibration"] == "raw") & (mine["model"] != "linear_svc")]
    key = "curve.miscalibrated" if board.is_miscalibrated(told) else "curve.calibration_takeaway"
    sentence = words(
        key, predicted=formats.percent(told["mean_probability"]), observed=formats.percent(observed_rate(told))
    )
    title = words("curve.calibration")
    before = None if raw.empty else _tenths(raw)
    ends = [bins["predicted"].max(), bins["rate_high"].max(), *([] if before is None else [before["rate"].max()])]
    reach = min(1.0, 1.05 * max(float(end) for end in ends))
    predicted, rate, low, high = (bins[c].to_numpy(dtype=float) for c in ("predicted", "rate", "rate_low", "rate_high"))
    series = [Series("", predicted, rate, low, high, role="main", has_dots=True)]
    if before is not None:
        series.insert(0, Series("", before["predicted"].to_numpy(dtype=float), before["rate"].to_numpy(dtype=float)))
    picture = lines(
        "curve-calibration",
        [Series("", np.array([0.0, 1.0]), np.array([0.0, 1.0]), role="baseline"), *series],
        words("curve.alt", title=title, takeaway=sentence),
        (lambda value: formats.percent(value, 0),) * 2,
        (words("curve.calibration_x"), words("curve.calibration_y")),
        limits=((0, reach), (0, reach)),
        is_small=True,
    )
    return Figure(title, sentence, picture, words("curve.calibration_note" + ("" if raw.empty else "_raw")))


def _tenths(counts: pd.DataFrame) -> pd.DataFrame:
    """Counts per score → ten groups of about equal count in order of score: predicted, rate with interval."""
    summed = counts.groupby("bin", as_index=False)[["rows", "positives"]].sum().sort_values("bin")
    rows = summed["rows"].to_numpy(dtype=float)
    middle = (np.cumsum(rows) - rows / 2) / rows.sum()
    tenth = np.minimum((middle * 10).astype(int), 9)
    predicted = probability_of_bin(summed["bin"]) * rows
    grouped = summed.assign(tenth=tenth, predicted=predicted).groupby("tenth")[["rows", "positives", "predicted"]].sum()
    return with_rates(grouped.assign(predicted=grouped["predicted"] / grouped["rows"]))


def _confusion(facts: ReportFacts, counts: pd.DataFrame, board: Board, voice: ReportVoice) -> TableBlock:
    """The confusion matrix at the decision threshold."""
    words, formats = voice.words, voice.formats
    mine = counts[(counts["model"] == board.champion) & (counts["calibration"] == "calibrated")]
    chosen = mine[mine["is_chosen"].astype(bool)]
    left = mine[~mine["is_chosen"].astype(bool)]
    decision = facts.task.decision
    threshold = formats.decimal(0.5 if decision is None else decision.threshold, 3)
    origin = words("confusion.half" if decision is None else "confusion.cost")
    rows = []
    for title, part in ((words("confusion.chosen"), chosen), (words("confusion.left"), left)):
        yes, all_ = float(part["positives"].sum()), float(part["rows"].sum())
        share = yes / all_ if all_ else None
        rows.append(
            [
                head(title, formats.integer(all_)),
                number(formats.integer(yes), formats.percent(share)),
                number(formats.integer(all_ - yes), formats.percent(None if share is None else 1 - share)),
            ]
        )
    takeaway = words(
        "confusion.takeaway",
        threshold=threshold,
        taken=formats.integer(chosen["rows"].sum()),
        hit=formats.integer(chosen["positives"].sum()),
        missed=formats.integer(left["positives"].sum()),
    )
    return TableBlock(
        words("confusion.title"),
        heads("", words("confusion.yes"), words("confusion.no")),
        rows,
        takeaway=takeaway,
        note=words("confusion.caption", threshold=threshold, origin=origin),
    )
