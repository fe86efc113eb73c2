"""Section "how good the models are": the scoreboard as readable tables, the curves, the threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    Table,
    head,
    heads,
    number,
)  # fmt: skip
from otklik.page.drawing import Write
from otklik.page.formats import NOTHING, is_number
from otklik.report import charts
from otklik.report.board import MAJORITY, Board, Row, is_below_majority, observed_rate
from otklik.report.facts import ReportFacts, records
from otklik.report.rates import Floats, Ranking, ranking, with_rates
from otklik.report.reductions import probability_of_bin
from otklik.report.story import moment_in_brackets, share_tested
from otklik.report.texts import Voice


def section(facts: ReportFacts, board: Board, voice: Voice) -> list[Block]:
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


def _choice_table(facts: ReportFacts, board: Board, voice: Voice) -> Table | None:
    """What each candidate reached inside the training part, window by window, beside what came later."""
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
    return Table(words("models.choice_caption"), titles, rows, takeaway=said, emphasised=frozenset({emphasised}))


def day_and_customer(facts: ReportFacts, board: Board, voice: Voice) -> Figure | None:
    """The AUC of every model over all pairs and within one decision moment; None where moments say nothing."""
    words, formats, told = voice.words, voice.formats, board.told
    rows = [row for row in board.models("without", board.split) if row["model"] != MAJORITY and is_number(row["auc"])]
    if told is None or not is_number(told["auc_within"]) or not rows:
        return None
    rows.sort(key=lambda row: -row["auc"])
    models = [
        charts.DayAndCustomer(
            words(f"model.{row['model']}"),
            _estimate(row, "auc", voice),
            _estimate(row, "auc_within", voice),
            row["model"] == board.champion,
        )
        for row in rows
    ]
    listed = "; ".join(f"{m.label} {m.overall.text}, {m.within.text}" for m in models)
    picture = charts.day_and_customer(
        "day-and-customer",
        models,
        (words("when.within"), words("when.overall"), words("when.guess")),
        words("when.split_alt", models=listed),
        lambda value: formats.decimal(value, 2),
    )
    overall, within, name = told["auc"], told["auc_within"], words(f"model.{told['model']}")
    if 0.5 < within < overall:
        above, remains = formats.decimal(overall - 0.5), formats.decimal(within - 0.5)
        takeaway = words("when.split_takeaway", above=above, within=remains, model=name)
    else:
        both = {"auc": formats.decimal(overall), "auc_within": formats.decimal(within)}
        takeaway = words("when.split_takeaway_plain", model=name, guess=formats.decimal(0.5, 1), **both)
    title = words("when.split_title", moment=moment_in_brackets(facts, voice))
    return Figure(title, takeaway, picture)


def _estimate(row: Row, measure: str, voice: Voice) -> charts.Estimate:
    value, low, high = (
        float(row[c]) if is_number(row[c]) else np.nan for c in (measure, f"{measure}_low", f"{measure}_high")
    )
    return charts.Estimate(value, low, high, voice.formats.decimal(value))


def _main_table(facts: ReportFacts, board: Board, told: Row, voice: Voice) -> Table:
    words, formats = voice.words, voice.formats
    rows = board.models("without", board.split)
    has_profit = facts.task.decision is not None
    takeaway = words(
        "models.main_takeaway",
        majority=formats.percent(told["majority_accuracy"]),
        model=words(f"model.{told['model']}"),
        accuracy=formats.percent(told["accuracy"]),
        auc=formats.decimal(told["auc"]),
    )
    titles = ["model", "auc", *(["within"] if facts.has_time else []), "accuracy", "pr", "lift", "gain", "brier"]
    titles += ["ece", "mean", "rate", *(["profit"] if has_profit else [])]
    return Table(
        words("models.main_caption", split=words(f"split.{board.split}")),
        heads(*(words(f"models.{title}") for title in titles)),
        [_main_cells(board, row, facts.has_time, has_profit, voice) for row in rows],
        takeaway=takeaway,
        note=words("models.moved_note") if any(board.is_miscalibrated(row) for row in rows) else "",
        emphasised=frozenset(n for n, row in enumerate(rows) if row["model"] == board.champion),
        faded=frozenset(n for n, row in enumerate(rows) if row["model"] == MAJORITY),
    )


def _main_cells(board: Board, row: Row, has_time: bool, has_profit: bool, voice: Voice) -> list[Cell]:
    words, formats = voice.words, voice.formats
    decimal, percent = formats.decimal, formats.percent
    name = head(words(f"model.{row['model']}"), mark=words("models.champion") if row["model"] == board.champion else "")
    moved = words("models.moved_mark") if board.is_miscalibrated(row) else ""
    cells = [
        name,
        number(decimal(row["auc"]), formats.interval(row["auc_low"], row["auc_high"], decimal)),
        *([_within_cell(row, voice)] if has_time else []),
        _accuracy_cell(row, voice),
        number(decimal(row["pr_auc"])),
        number(
            decimal(row["lift_10"], 2),
            formats.interval(row["lift_10_low"], row["lift_10_high"], lambda x: decimal(x, 2)),
        ),
        number(percent(row["gain_50"], 0)),
        number(decimal(row["brier"])),
        number(decimal(row["ece"])),
        number(percent(row["mean_probability"]), mark=moved),
        number(percent(observed_rate(row))),
    ]
    if has_profit:
        money = formats.interval(row["profit_low"], row["profit_high"], formats.money)
        cells.append(number(formats.money(row["profit"]), money))
    return cells


def _within_cell(row: Row, voice: Voice) -> Cell:
    decimal = voice.formats.decimal
    interval = voice.formats.interval(row["auc_within_low"], row["auc_within_high"], decimal)
    return number(decimal(row["auc_within"]), interval)


def _accuracy_cell(row: Row, voice: Voice) -> Cell:
    formats = voice.formats
    return number(
        formats.percent(row["accuracy"]),
        formats.percent_interval(row["accuracy_low"], row["accuracy_high"]),
        voice.words("models.below") if is_below_majority(row) else "",
    )


def _ways_table(board: Board, ways: Sequence[tuple[str, str]], voice: Voice) -> Table:
    """AUC and accuracy of every model in each way of counting (split, leaks), unusable ones marked."""
    words, formats = voice.words, voice.formats
    names = [row["model"] for row in board.models("without", board.split)]
    titles = [Cell(words("models.model"))]
    for split, leaks in ways:
        usable = words("models.usable") if leaks == "without" else words("models.cannot")
        title = f"{words('split.' + split)}, {words('models.leaks_' + leaks)}"
        titles.append(Cell(title, "number", mark="" if leaks == "without" else usable))
    rows = []
    for name in names:
        cells = [head(words(f"model.{name}"))]
        for split, leaks in ways:
            row = board.row(name, leaks, split)
            if row is None:
                cells.append(number(formats.decimal(None)))
                continue
            accuracy = formats.percent(row["accuracy"])
            cells.append(
                number(formats.decimal(row["auc"]), accuracy, words("models.below") if is_below_majority(row) else "")
            )
        rows.append(cells)
    by_splits, by_leaks = (len({way[place] for way in ways}) > 1 for place in (0, 1))
    caption = "models.ways_caption" + ("" if by_splits and by_leaks else "_splits" if by_splits else "_leaks")
    return Table(
        f"{words(caption)}: {words('models.auc')}, {words('models.accuracy').lower()}",
        titles,
        rows,
        faded=frozenset(n for n, name in enumerate(names) if name == MAJORITY),
        emphasised=frozenset(n for n, name in enumerate(names) if name == board.champion),
    )


def _full_table(facts: ReportFacts, board: Board, voice: Voice) -> Table:
    words, formats = voice.words, voice.formats
    has_profit = facts.task.decision is not None
    titles = ["model", "calibration", "rows", "accuracy", "auc", *(["within"] if facts.has_time else []), "pr"]
    titles += ["log_loss", "brier", "ece", "mean", "rate", "lift", "gain", *(["profit"] if has_profit else [])]
    rows: list[list[Cell]] = []
    groups: dict[int, str] = {}
    faded = set()
    before = None
    for record in board.rows.to_dict("records"):
        row: Row = {str(key): value for key, value in record.items()}
        way = (row["split"], row["leaks"])
        if way != before:
            cannot = "" if row["leaks"] == "without" else f" — {words('models.cannot')}"
            groups[len(rows)] = f"{words('split.' + row['split'])}, {words('models.leaks_' + row['leaks'])}{cannot}"
            before = way
        if row["leaks"] == "with":
            faded.add(len(rows))
        cells = [
            head(words.known("model", row["model"])),
            Cell(words(f"calibration.{row['calibration']}")),
            number(formats.integer(row["rows"])),
            _accuracy_cell(row, voice),
            number(formats.decimal(row["auc"]), formats.interval(row["auc_low"], row["auc_high"], formats.decimal)),
            *([_within_cell(row, voice)] if facts.has_time else []),
            number(formats.decimal(row["pr_auc"])),
            number(formats.decimal(row["log_loss"])),
            number(formats.decimal(row["brier"])),
            number(formats.decimal(row["ece"])),
            number(
                formats.percent(row["mean_probability"]),
                mark=words("models.moved_mark") if board.is_miscalibrated(row) else "",
            ),
            number(formats.percent(observed_rate(row))),
            number(formats.decimal(row["lift_10"], 2)),
            number(formats.percent(row["gain_50"], 0)),
        ]
        if has_profit:
            interval = formats.interval(row["profit_low"], row["profit_high"], formats.money)
            cells.append(number(formats.money(row["profit"]), interval))
        rows.append(cells)
    columns = heads(*(words(f"models.{title}") for title in titles), numbers_from=2)
    return Table(words("section.models"), columns, rows, groups=groups, faded=frozenset(faded))


def _champion_sentence(facts: ReportFacts, voice: Voice) -> str:
    champion = facts.champion
    if champion is None:
        return voice.words("models.no_champion")
    said = voice.words("models.champion_text", **_model_in_words(champion, voice))
    challenger = facts.challenger
    if challenger is None:
        return said
    # Two trainings may look from the same moment: then the second one is the later.
    of_champion, of_challenger = ((row["trained_at"], row["sequence"]) for row in (champion, challenger))
    has_lost = not challenger["serves"] and of_challenger > of_champion
    fate = "models.challenger_lost" if has_lost else "models.challenger_other"
    margin = voice.formats.decimal(facts.task.champion.margin)
    return f"{said} {voice.words(fate, margin=margin, **_model_in_words(challenger, voice))}"


def _model_in_words(row: Mapping[str, Any], voice: Voice) -> dict[str, str]:
    """A row of gold.model_runs as the parts of a sentence."""
    return {
        "model": voice.words(f"model.{row['model']}"),
        "metric": voice.words.known("metric", str(row["metric"])),
        "value": voice.formats.decimal(row["value"]),
        "moment": voice.formats.moment(pd.Timestamp(row["trained_at"])),
    }


def _curves(board: Board, told: Row, counts: pd.DataFrame, voice: Voice) -> list[Figure]:
    """ROC, precision-recall, gain, lift and calibration of the champion in front of the other models."""
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
        lines = [
            charts.Line(*_points(one, x, y), is_champion=model == board.champion) for model, one in rankings.items()
        ]
        lines.append(charts.Line(np.array(straight[0]), np.array(straight[1]), is_baseline=True))
        figures.append(_curve(name, lines, takeaway, (percent0, percent0), ((0, 1), (0, 1)), voice))
    lifts = [charts.Line(*_lift(one), is_champion=model == board.champion) for model, one in rankings.items()]
    lifts.append(charts.Line(np.array([0.0, 1.0]), np.array([1.0, 1.0]), is_baseline=True))
    top = max(1.5, 1.1 * max(float(line.y.max()) for line in lifts))
    lift_text = {"lift": formats.decimal(told["lift_10"], 1)}
    figures.append(_curve("lift", lifts, lift_text, (percent0, formats.short), ((0, 1), (0, top)), voice))
    figures.append(_calibration(board, told, counts, voice))
    return figures


def _points(one: Ranking, x: str, y: str) -> tuple[Floats, Floats]:
    """Two measures along a ranking; precision from the first hundredth on: before that it is noise."""
    first = int(np.searchsorted(one.share, 0.01)) if y == "precision" else 0
    xs, ys = getattr(one, x), getattr(one, y)
    return xs[first:], ys[first:]


def _lift(one: Ranking) -> tuple[Floats, Floats]:
    """Share taken and times the average, from the first hundredth on: before that it is noise."""
    shares = np.concatenate([[0.01], one.share[one.share > 0.01]])
    return shares, np.interp(shares, one.share, one.gain) / shares


def _curve(
    name: str, lines: list[charts.Line], takeaway: dict[str, str], write: tuple[Write, Write],
    limits: tuple[tuple[float, float], tuple[float, float]], voice: Voice,
) -> Figure:  # fmt: skip
    words = voice.words
    title, sentence = words(f"curve.{name}"), words(f"curve.{name}_takeaway", **takeaway)
    picture = charts.curves(
        f"curve-{name}",
        lines,
        (words(f"curve.{name}_x"), words(f"curve.{name}_y")),
        write,
        words("curve.alt", title=title, takeaway=sentence),
        limits=limits,
    )
    return Figure(title, sentence, picture)


def _calibration(board: Board, told: Row, counts: pd.DataFrame, voice: Voice) -> Figure:
    words, formats = voice.words, voice.formats
    mine = counts[counts["model"] == board.champion]
    bins = _tenths(mine[mine["calibration"] == "calibrated"])
    raw = mine[(mine["calibration"] == "raw") & (mine["model"] != "linear_svc")]
    key = "curve.calibration_moved" if board.is_miscalibrated(told) else "curve.calibration_takeaway"
    sentence = words(key, promised=formats.percent(told["mean_probability"]), came=formats.percent(observed_rate(told)))
    title = words("curve.calibration")
    picture = charts.calibration(
        "curve-calibration",
        bins,
        None if raw.empty else _tenths(raw),
        (words("curve.calibration_x"), words("curve.calibration_y")),
        lambda value: formats.percent(value, 0),
        words("curve.alt", title=title, takeaway=sentence),
    )
    return Figure(title, sentence, picture, words("curve.calibration_note" + ("" if raw.empty else "_raw")))


def _tenths(counts: pd.DataFrame) -> pd.DataFrame:
    """Counts per score → ten groups of about equal count in order of score: promised, rate with interval."""
    summed = counts.groupby("bin", as_index=False)[["rows", "positives"]].sum().sort_values("bin")
    rows = summed["rows"].to_numpy(dtype=float)
    middle = (np.cumsum(rows) - rows / 2) / rows.sum()
    tenth = np.minimum((middle * 10).astype(int), 9)
    promised = probability_of_bin(summed["bin"]) * rows
    grouped = summed.assign(tenth=tenth, promised=promised).groupby("tenth")[["rows", "positives", "promised"]].sum()
    return with_rates(grouped.assign(promised=grouped["promised"] / grouped["rows"]))


def _confusion(facts: ReportFacts, counts: pd.DataFrame, board: Board, voice: Voice) -> Table:
    """Who was chosen and who said yes, at the decision threshold."""
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
    return Table(
        words("confusion.title"),
        heads("", words("confusion.yes"), words("confusion.no")),
        rows,
        takeaway=takeaway,
        note=words("confusion.caption", threshold=threshold, origin=origin),
    )
