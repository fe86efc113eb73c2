"""The page: facts in, one self-contained HTML file out. The same facts give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from otklik.models.drift import SCORE
from otklik.page import provenance, rendering
from otklik.page.blocks import (
    Block,
    Bullets,
    Cell,
    DefinitionList,
    Details,
    Figure,
    Heading,
    Paragraph,
    Section,
    TableBlock,
    head,
    heads,
    number,
)  # fmt: skip
from otklik.page.figures import Series, lines
from otklik.page.formats import NOTHING, Language, is_number
from otklik.page.rendering import Page
from otklik.report import attributes, board, charts, explanations, findings, results, story
from otklik.report.board import Board
from otklik.report.facts import ReportFacts, records
from otklik.report.rates import fifths, is_apart, per_period
from otklik.report.reasons import told_reasons
from otklik.report.reductions import probability_of_bin
from otklik.report.texts import TEXTS, ReportVoice

__all__ = ["TEXTS", "render"]

_TERMS = ("auc", "within", "accuracy", "pr", "lift", "brier", "interval", "profit", "psi", "leak")


def render(facts: ReportFacts, language: Language) -> str:
    """The report of one run as one HTML document without external resources.

    Args:
        facts: the data of the run.
        language: ru or en.
    """
    voice = ReportVoice(language)
    read = board.read(facts)
    words = voice.words
    answer = story.answer(facts, read, voice)
    parts: list[tuple[str, list[Block]]] = [
        ("when", _when(facts, read, voice)),
        ("list", _list(facts, read, voice)),
        ("who", attributes.section(facts, voice)),
        ("models", results.section(facts, read, voice)),
        ("why", explanations.section(facts, read, voice)),
        ("hidden", _hidden(facts, read, voice)),
        ("found", _found(facts, voice)),
        ("quality", _quality(facts, voice)),
        ("origin", _origin(facts, voice)),
        ("terms", [DefinitionList([(words(f"term.{term}"), words(f"explain.{term}")) for term in _TERMS])]),
    ]
    rows, _ = story.response_rate(facts)
    page = Page(
        title=facts.task.title[language],
        question=facts.task.question[language],
        answer=answer,
        sections=[Section(anchor, words(f"section.{anchor}"), blocks) for anchor, blocks in parts],
        stamp=[
            words("head.as_of", moment=voice.formats.moment(facts.as_of)),
            words("head.rows", rows=voice.formats.integer(rows)),
            words("head.run", run=facts.run_id[:12]),
        ],
    )
    return rendering.render(page, voice)


# ---------------------------------------------------------------------------------------------------------------------
# Which day, which customer


def _when(facts: ReportFacts, read: Board, voice: ReportVoice) -> list[Block]:
    words, formats = voice.words, voice.formats
    if not facts.task.rows.time_ordered:
        return [Paragraph(words("when.no_time"))]
    if not facts.has_time:
        return [Paragraph(words("when.one_moment"))]
    periods, grain = per_period(facts.rates_over_time)
    parts = fifths(facts.rates_over_time)
    first, last = parts.iloc[0], parts.iloc[-1]
    overall = float(parts["positives"].sum() / parts["rows"].sum())
    word = words(f"when.grain_{grain}")
    takeaway = words(
        "when.rate_takeaway" if is_apart(parts.iloc[[0, -1]]) else "when.rate_steady",
        first=formats.percent(first["rate"]),
        last=formats.percent(last["rate"]),
    )
    start, end = pd.Timestamp(periods["period"].iloc[0]), pd.Timestamp(periods["period"].iloc[-1])
    alt = words(
        "when.rate_alt",
        grain=word,
        start=formats.day(start),
        end=formats.day(end),
        fifths=", ".join(formats.percent(rate) for rate in parts["rate"]),
    )
    picture = charts.rate_over_time(
        "when-rate",
        periods,
        overall,
        [formats.period(pd.Timestamp(moment), grain) for moment in periods["period"]],
        (
            words("when.average", overall=formats.percent(overall)),
            words("when.axis_rate", grain=word),
            words("when.axis_rows"),
        ),
        alt,
        lambda value: formats.percent(value, 0),
    )
    blocks: list[Block] = [Figure(words("figure.rate").capitalize(), takeaway, picture)]
    both = results.day_and_customer(facts, read, voice)
    if both is not None:
        moment = story.moment_in_brackets(facts, voice)
        blocks = [Paragraph(words("when.lead", moment=moment)), both, *blocks]
    return blocks


# ---------------------------------------------------------------------------------------------------------------------
# The list


def _list(facts: ReportFacts, read: Board, voice: ReportVoice) -> list[Block]:
    words, formats, decision = voice.words, voice.formats, facts.task.decision
    if decision is None:
        return [Paragraph(words("list.none"))]

    def money(amount: float | None) -> str:
        return formats.money(amount, decision.currency[voice.language])

    lead = words(
        "list.lead",
        cost=money(decision.cost),
        value=money(decision.value),
        threshold=formats.percent(decision.threshold),
    )
    if decision.budget is not None:
        lead += " " + words("list.budget", budget=money(decision.budget))
    blocks: list[Block] = [Paragraph(lead)]
    policies = story.policies_of(facts)
    if not policies:
        return [*blocks, Paragraph(words("list.not_yet"), "note")]
    later = story.later_policies(facts)
    curve = _profit_curve(facts, read, later or policies, voice)
    if curve is not None:
        blocks.append(curve)
    if later:
        blocks.append(_later_table(later, read, money, voice))
    blocks.append(_policy_table(policies, money, voice))
    arms = dict(zip(facts.action_arms["arm"], facts.action_arms["rows"], strict=True))
    if arms:
        counts = {arm: formats.integer(int(arms.get(arm, 0))) for arm in ("contact", "control")}
        blocks.append(Paragraph(words("list.arms", **counts)))
    if not facts.top_actions.empty:
        blocks.append(_top_table(facts, money, voice))
    return blocks


def _curve_counts(facts: ReportFacts, read: Board) -> pd.DataFrame:
    """Rows by probability: the later ones if there are any, otherwise the scored ones."""
    counts = facts.score_counts
    if counts is None or not story.later_policies(facts):
        return facts.scored_counts
    is_told = (counts["model"] == read.champion) & (counts["leaks"] == "without") & (counts["split"] == "time")
    later = counts[is_told & (counts["calibration"] == "calibrated")].groupby("bin", as_index=False)
    return later[["rows", "positives"]].sum().assign(labelled=lambda frame: frame["rows"])


def _profit_curve(
    facts: ReportFacts, read: Board, policies: Mapping[str, board.Row], voice: ReportVoice
) -> Figure | None:
    words, formats, decision = voice.words, voice.formats, facts.task.decision
    counts = _curve_counts(facts, read).sort_values("bin", ascending=False)
    if decision is None or counts.empty or "list" not in policies:
        return None
    rows = counts["rows"].to_numpy(dtype=float)
    customers = np.concatenate([[0.0], rows.cumsum()])
    predicted = probability_of_bin(counts["bin"])
    expected = np.concatenate([[0.0], (rows * (predicted * decision.value - decision.cost)).cumsum()])
    realised = None
    if bool((counts["labelled"] == counts["rows"]).all()):
        gained = counts["positives"].to_numpy(dtype=float) * decision.value - rows * decision.cost
        realised = np.concatenate([[0.0], gained.cumsum()])
    listed, everybody = policies["list"], policies.get("all")
    curve = expected if realised is None else realised
    n = float(listed["customers"])
    profit = story.profit_of(listed) if realised is not None else listed["expected_profit"]
    height = float(profit) if profit is not None and is_number(profit) else float(np.interp(n, customers, curve))
    best = float(customers[int(np.argmax(curve))])

    def money(amount: float | None) -> str:
        return formats.money(amount, decision.currency[voice.language])

    of_all = None if everybody is None else story.profit_of(everybody)
    alt = words(
        "list.curve_alt",
        n=formats.integer(n),
        profit=money(height),
        everybody=NOTHING if everybody is None else formats.integer(everybody["customers"]),
        all=money(of_all),
    )
    currency = decision.currency[voice.language]
    across = (0.0, float(customers[-1]))
    series = [Series("", np.array(across), np.zeros(2), role="baseline")]
    series.append(Series(words("list.expected"), customers, expected))
    if realised is not None:
        series.append(Series(story.rows_told(facts, read, voice), customers, realised, role="main"))
    picture = lines(
        "list-profit",
        series,
        alt,
        (formats.integer, formats.short),
        (words("list.axis_customers"), words("list.axis_profit", currency=f", {currency}" if currency else "")),
        mark=(n, words("list.mark", n=formats.integer(n))),
        point=(n, height),
        limits=(across, None),
    )
    takeaway = words("list.curve_takeaway", best=formats.integer(best), n=formats.integer(n))
    return Figure(words("models.profit"), takeaway, picture)


def _later_table(policies: Mapping[str, board.Row], read: Board, money: Any, voice: ReportVoice) -> TableBlock:
    words, formats = voice.words, voice.formats
    names = [name for name in ("list", "random", "all", "none", "oracle") if name in policies]
    rows = [
        [
            head(words(f"policy.{name}")),
            number(formats.integer(policies[name]["customers"])),
            number(
                money(policies[name]["out_of_fold_profit"]),
                formats.interval(policies[name]["low"], policies[name]["high"], formats.money),
            ),
        ]
        for name in names
    ]
    share = formats.percent(story.share_tested(read), 0)
    titles = heads(words("list.policy"), words("list.contacts"), words("list.later_profit"))
    return TableBlock(
        words("list.later_caption", share=share), titles, rows, note=words("list.later_note"), emphasised=frozenset({0})
    )


def _policy_table(policies: Mapping[str, board.Row], money: Any, voice: ReportVoice) -> TableBlock:
    words, formats = voice.words, voice.formats
    names = [name for name in ("list", "all", "none", "oracle") if name in policies]
    rows = [
        [
            head(words(f"policy.{name}")),
            number(formats.integer(policies[name]["customers"])),
            number(money(policies[name]["expected_profit"])),
            number(
                money(policies[name]["out_of_fold_profit"]),
                formats.interval(policies[name]["low"], policies[name]["high"], formats.money),
            ),
            number(money(policies[name]["control_cost"]) if name == "list" else NOTHING),
        ]
        for name in names
    ]
    titles = heads(
        words("list.policy"), words("list.contacts"), words("list.expected_profit"), words("list.past_profit"),
        words("list.control_cost"),
    )  # fmt: skip
    return TableBlock(
        words("list.policy_caption"),
        titles,
        rows,
        note=words("list.policy_note"),
        emphasised=frozenset({names.index("list")} if "list" in names else ()),
    )


def _top_table(facts: ReportFacts, money: Any, voice: ReportVoice) -> TableBlock:
    words, formats = voice.words, voice.formats
    rows = [
        [
            head(formats.integer(record.rank)),
            Cell(str(record.key), "key"),
            Cell(words.known("arm", str(record.arm))),
            number(formats.percent(record.probability)),
            number(money(record.expected_profit)),
            Cell(_reasons(facts, record.reasons, voice), "long"),
        ]
        for record in records(facts.top_actions.sort_values("rank").head(20))
    ]
    titles = [Cell(words(f"list.{title}")) for title in ("rank", "key", "arm")]
    titles += [number(words("list.probability")), number(words("list.value")), Cell(words("list.reasons"))]
    note = "" if facts.champion is None else words(f"list.how_{facts.champion['model']}")
    return TableBlock(words("list.top_caption", n=len(rows)), titles, rows, note=note)


def _reasons(facts: ReportFacts, reasons: Any, voice: ReportVoice) -> str:
    """The reasons of a row of the list; none if it has no score."""
    if reasons is None or isinstance(reasons, float):
        return NOTHING
    return told_reasons([*reasons], voice, lambda feature: facts.meaning(feature, voice.language))


# ---------------------------------------------------------------------------------------------------------------------
# Caveats


def _hidden(facts: ReportFacts, read: Board, voice: ReportVoice) -> list[Block]:
    blocks: list[Block] = [Bullets(story.hidden(facts, read, voice))]
    caveats = [story.with_numbers(text[voice.language], facts.remark_counts, voice) for text in facts.task.rows.caveats]
    if caveats:
        blocks += [Heading(voice.words("hidden.caveats")), Bullets(caveats)]
    return blocks


def _found(facts: ReportFacts, voice: ReportVoice) -> list[Block]:
    words, formats, frame = voice.words, voice.formats, facts.findings
    if frame.empty:
        return [Paragraph(words("found.none"))]
    kinds = frame["kind"].value_counts()
    listed = ", ".join(f"{words.known('kind', str(kind))} × {count}" for kind, count in kinds.items())
    rows = [
        [
            head(words.known("kind", str(record.kind))),
            Cell(_text(record.feature)),
            Cell(findings.detail_in_words(str(record.kind), _text(record.detail), voice), "long"),
            number(formats.decimal(record.value)),
            Cell(words.known("action", _text(record.action))),
        ]
        for record in records(frame.sort_values(["kind", "feature", "detail"]))
    ]
    titles = [Cell(words(f"found.{title}")) for title in ("kind", "feature", "detail")]
    titles += [number(words("found.value")), Cell(words("found.action"))]
    table = TableBlock(words("found.caption"), titles, rows)
    blocks: list[Block] = [Paragraph(words("found.takeaway", n=len(frame), kinds=listed), "takeaway")]
    blocks += _psi(facts, voice)
    if len(rows) > 15:
        return [*blocks, Details(f"{words('found.caption')} ({len(rows)})", [table])]
    return [*blocks, table]


def _psi(facts: ReportFacts, voice: ReportVoice) -> list[Block]:
    """The number of features that drifted beyond the declared limit, and the drift of the score, if measured."""
    words, formats = voice.words, voice.formats
    drift = facts.findings[(facts.findings["kind"] == "drift") & facts.findings["value"].map(is_number).astype(bool)]
    if drift.empty:
        return []
    is_score = drift["feature"] == SCORE
    limit = facts.task.checks.psi_warning
    far = drift[~is_score & (drift["action"] == "warned")].sort_values("value", ascending=False)
    if far.empty:
        said = words("found.psi_none", limit=formats.short(limit))
    else:
        said = words(
            "found.psi_takeaway",
            n=len(far),
            all=len(facts.features) or int((~is_score).sum()),
            limit=formats.short(limit),
            feature=facts.meaning(str(far["feature"].iloc[0]), voice.language),
            value=formats.decimal(far["value"].iloc[0], 2),
        )
    for value in drift.loc[is_score, "value"]:
        said += words("found.psi_score", value=formats.decimal(value, 2))
    return [Paragraph(said)]


def _text(value: Any) -> str:
    return "" if value is None or (isinstance(value, float) and np.isnan(value)) else str(value)


# ---------------------------------------------------------------------------------------------------------------------
# Quality and origin


def _quality(facts: ReportFacts, voice: ReportVoice) -> list[Block]:
    words, formats = voice.words, voice.formats
    states = TableBlock(
        words("quality.states"),
        heads(words("quality.state"), words("quality.rows")),
        [
            [head(words.known("state", str(record.label_state))), number(formats.integer(record.rows))]
            for record in records(facts.label_states)
        ],
    )
    return [*provenance.files(facts.balances, voice), states]


def _origin(facts: ReportFacts, voice: ReportVoice) -> list[Block]:
    words, champion = voice.words, facts.champion
    pairs = [
        ("origin.task", facts.task.name),
        ("origin.run", facts.run_id),
        ("origin.training", facts.training_run_id),
        ("origin.as_of", voice.formats.moment(facts.as_of)),
        ("origin.code", facts.code_version),
    ]
    if champion is not None:
        pairs += [("origin.model", str(champion["folder"])), ("origin.settings", _settings(champion["settings"]))]
    tables = provenance.run(pairs, facts.table_versions, voice)
    features = TableBlock(
        words("origin.features"),
        [Cell(words(f"origin.{title}")) for title in ("feature", "meaning", "known")],
        [
            [
                head(doc.name),
                Cell(doc.meaning[voice.language]),
                Cell(words("known.after" if doc.is_known_after else "known.before")),
            ]
            for doc in facts.features
        ],
    )
    return [*tables, Details(f"{words('origin.features')} ({len(features.rows)})", [features])]


def _settings(settings: Any) -> str:
    try:
        pairs = json.loads(settings)
    except (TypeError, ValueError):
        return _text(settings)
    return (
        ", ".join(f"{key} = {value}" for key, value in sorted(pairs.items())) if isinstance(pairs, dict) else str(pairs)
    )
