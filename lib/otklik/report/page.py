"""The page: facts in, one self-contained HTML file out. The same facts give the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

import jinja2
import markupsafe
import numpy as np
import pandas as pd

from otklik.models.drift import SCORE
from otklik.report import attributes, board, charts, explanations, findings, results, story
from otklik.report.blocks import (
    Block,
    Bullets,
    Cell,
    Details,
    Figure,
    Heading,
    Paragraph,
    Section,
    Table,
    Terms,
    head,
    heads,
    number,
)  # fmt: skip
from otklik.report.board import Board
from otklik.report.facts import Language, ReportFacts, records
from otklik.report.formats import NOTHING, is_number
from otklik.report.rates import fifths, is_apart, per_period
from otklik.report.reductions import probability_of_bin
from otklik.report.texts import Voice

_FRACTION = re.compile(r"-?\d+\.\d+")
_TERMS = ("auc", "within", "accuracy", "pr", "lift", "brier", "interval", "profit", "psi", "leak")


def render(facts: ReportFacts, language: Language) -> str:
    """The report of one run as one HTML document without any outer resource.

    Args:
        facts: what the run found.
        language: ru or en.
    """
    voice = Voice(language)
    read = board.read(facts)
    words = voice.words
    answer = story.answer(facts, read, voice)
    parts: list[tuple[str, list[Block]]] = [
        ("when", _when(facts, read, voice)),
        ("list", _list(facts, voice)),
        ("who", attributes.section(facts, voice)),
        ("models", results.section(facts, read, voice)),
        ("why", explanations.section(facts, read, voice)),
        ("hidden", _hidden(facts, read, voice)),
        ("found", _found(facts, voice)),
        ("quality", _quality(facts, voice)),
        ("origin", _origin(facts, voice)),
        ("terms", [Terms([(words(f"term.{term}"), words(f"explain.{term}")) for term in _TERMS])]),
    ]
    rows, _ = story.response_rate(facts)
    page = _template().render(
        language=language,
        words=words,
        title=facts.task.title[language],
        question=facts.task.question[language],
        stamp=[
            words("head.as_of", moment=voice.formats.moment(facts.as_of)),
            words("head.rows", rows=voice.formats.integer(rows)),
            words("head.run", run=facts.run_id[:12]),
        ],
        answer=answer,
        verdict=words(f"verdict.{answer.verdict}"),
        sections=[Section(anchor, words(f"section.{anchor}"), blocks) for anchor, blocks in parts],
        style=resources.files("otklik.report").joinpath("page.css").read_text(encoding="utf-8"),
    )
    return page.lstrip()


def _template() -> jinja2.Template:
    surroundings = jinja2.Environment(
        loader=jinja2.PackageLoader("otklik.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    surroundings.filters["with_code"] = _with_code
    return surroundings.get_template("page.html")


def _with_code(text: str) -> markupsafe.Markup:
    """A sentence with `names` between backticks set as code; everything else escaped."""
    return markupsafe.Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(markupsafe.escape(text))))


# ---------------------------------------------------------------------------------------------------------------------
# Which day, which customer


def _when(facts: ReportFacts, read: Board, voice: Voice) -> list[Block]:
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


def _list(facts: ReportFacts, voice: Voice) -> list[Block]:
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
    curve = _profit_curve(facts, policies, voice)
    if curve is not None:
        blocks.append(curve)
    blocks.append(_policy_table(policies, money, voice))
    arms = dict(zip(facts.action_arms["arm"], facts.action_arms["rows"], strict=True))
    if arms:
        counts = {arm: formats.integer(int(arms.get(arm, 0))) for arm in ("contact", "control")}
        blocks.append(Paragraph(words("list.arms", **counts)))
    if not facts.top_actions.empty:
        blocks.append(_top_table(facts, money, voice))
    return blocks


def _profit_curve(facts: ReportFacts, policies: Mapping[str, board.Row], voice: Voice) -> Figure | None:
    words, formats, decision = voice.words, voice.formats, facts.task.decision
    counts = facts.scored_counts.sort_values("bin", ascending=False)
    if decision is None or counts.empty or "list" not in policies:
        return None
    rows = counts["rows"].to_numpy(dtype=float)
    customers = np.concatenate([[0.0], rows.cumsum()])
    promised = probability_of_bin(counts["bin"])
    expected = np.concatenate([[0.0], (rows * (promised * decision.value - decision.cost)).cumsum()])
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
    picture = charts.profit(
        "list-profit",
        customers,
        realised,
        expected,
        (n, height, words("list.mark", n=formats.integer(n))),
        (
            words("list.axis_customers"),
            words("list.axis_profit", currency=f", {currency}" if currency else ""),
            words("list.realised"),
            words("list.expected"),
        ),
        (formats.integer, formats.short),
        alt,
    )
    takeaway = words("list.curve_takeaway", best=formats.integer(best), n=formats.integer(n))
    return Figure(words("models.profit"), takeaway, picture)


def _policy_table(policies: Mapping[str, board.Row], money: Any, voice: Voice) -> Table:
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
    return Table(
        words("list.policy_caption"),
        titles,
        rows,
        note=words("list.policy_note"),
        emphasised=frozenset({names.index("list")} if "list" in names else ()),
    )


def _top_table(facts: ReportFacts, money: Any, voice: Voice) -> Table:
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
    return Table(words("list.top_caption", n=len(rows)), titles, rows)


def _reasons(facts: ReportFacts, reasons: Any, voice: Voice) -> str:
    """`meaning = value ↑` for each reason; the arrow says whether it raised or lowered the score."""
    if reasons is None or isinstance(reasons, float):
        return NOTHING
    return "; ".join(
        f"{facts.meaning(str(reason['feature']), voice.language)} = {_value(reason['value'], voice)}\u00a0"
        f"{'↑' if reason['contribution'] >= 0 else '↓'}"
        for reason in reasons
    )


def _value(value: Any, voice: Voice) -> str:
    """A value as it stands in the scores; a fraction in few digits, yes or no in words, all else as it is."""
    if value is None:
        return NOTHING
    text = str(value)
    if text in ("True", "False"):
        return voice.words.level(text.lower())
    return voice.formats.short(float(text)) if _FRACTION.fullmatch(text) else text


# ---------------------------------------------------------------------------------------------------------------------
# What to be careful about


def _hidden(facts: ReportFacts, read: Board, voice: Voice) -> list[Block]:
    blocks: list[Block] = [Bullets(story.hidden(facts, read, voice))]
    caveats = [story.with_numbers(text[voice.language], facts.remark_counts, voice) for text in facts.task.rows.caveats]
    if caveats:
        blocks += [Heading(voice.words("hidden.caveats")), Bullets(caveats)]
    return blocks


def _found(facts: ReportFacts, voice: Voice) -> list[Block]:
    words, formats, frame = voice.words, voice.formats, facts.findings
    if frame.empty:
        return [Paragraph(words("found.none"))]
    kinds = frame["kind"].value_counts()
    listed = ", ".join(f"{words.known('kind', str(kind))} × {count}" for kind, count in kinds.items())
    rows = [
        [
            head(words.known("kind", str(record.kind))),
            Cell(_text(record.feature)),
            Cell(findings.in_words(_text(record.detail), voice), "long"),
            number(formats.decimal(record.value)),
            Cell(words.known("action", _text(record.action))),
        ]
        for record in records(frame.sort_values(["kind", "feature", "detail"]))
    ]
    titles = [Cell(words(f"found.{title}")) for title in ("kind", "feature", "detail")]
    titles += [number(words("found.value")), Cell(words("found.action"))]
    table = Table(words("found.caption"), titles, rows)
    blocks: list[Block] = [Paragraph(words("found.takeaway", n=len(frame), kinds=listed), "takeaway")]
    blocks += _psi(facts, voice)
    if len(rows) > 15:
        return [*blocks, Details(f"{words('found.caption')} ({len(rows)})", [table])]
    return [*blocks, table]


def _psi(facts: ReportFacts, voice: Voice) -> list[Block]:
    """How many features drifted past the declared limit, and the model's own score, where drift was measured."""
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


def _quality(facts: ReportFacts, voice: Voice) -> list[Block]:
    words, formats, files = voice.words, voice.formats, facts.balances
    states = Table(
        words("quality.states"),
        heads(words("quality.state"), words("quality.rows")),
        [
            [head(words.known("state", str(record.label_state))), number(formats.integer(record.rows))]
            for record in records(facts.label_states)
        ],
    )
    if files.empty:
        return [Paragraph(words("quality.none")), states]
    is_even = (files["rows"] == files["accepted"] + files["rejected"] + files["duplicates"]) & (
        files["accepted"] == files["inserted"] + files["updated"]
    )
    counts = ["rows", "accepted", "inserted", "updated", "rejected", "duplicates"]
    rows = [
        [
            head(str(record["file"]), str(record["source"])),
            *(number(formats.integer(record[column])) for column in counts),
            Cell(words.known("status", str(record["status"]))),
            Cell(_warnings(record.get("warnings"), voice)),
        ]
        for record in files.sort_values(["source", "file"]).to_dict("records")
    ]
    uneven = ", ".join(files.loc[~is_even, "file"].astype(str))
    # Silver does not consist of files that others have replaced, nor of those that were refused.
    in_silver = files[files["status"] == "loaded"]
    takeaway = words(
        "quality.takeaway",
        files=formats.integer(len(in_silver)),
        files_word=formats.plural(len(in_silver), "file", "files", "files"),
        balance=words("quality.unbalanced", files=uneven) if uneven else words("quality.balanced"),
        **{
            column: formats.integer(in_silver[column].sum())
            for column in ("rows", "accepted", "rejected", "duplicates")
        },
    )
    for status, key in (("replaced", "quality.replaced"), ("rejected", "quality.refused")):
        left_out = int((files["status"] == status).sum())
        takeaway += words(key, n=formats.integer(left_out)) if left_out else ""
    titles = [
        Cell(words("quality.file")),
        *(number(words(f"quality.{column}")) for column in counts),
        Cell(words("quality.status")),
        Cell(words("quality.warnings")),
    ]
    table = Table(words("quality.caption"), titles, rows)
    folded: Block = table if len(rows) <= 12 else Details(f"{words('quality.caption')} ({len(rows)})", [table])
    return [Paragraph(takeaway, "takeaway"), folded, states]


def _warnings(warnings: Any, voice: Voice) -> str:
    pairs = dict(warnings) if warnings is not None and not isinstance(warnings, float) else {}
    return ", ".join(f"{name} {voice.formats.integer(rows)}" for name, rows in sorted(pairs.items()))


def _origin(facts: ReportFacts, voice: Voice) -> list[Block]:
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
    run = Table(words("origin.caption"), [], [[head(words(key)), Cell(text, "key")] for key, text in pairs])
    tables = Table(
        words("origin.tables"),
        heads(words("origin.table"), words("origin.version")),
        [[head(name), number(str(version))] for name, version in sorted(facts.table_versions.items())],
    )
    features = Table(
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
    return [run, tables, Details(f"{words('origin.features')} ({len(features.rows)})", [features])]


def _settings(settings: Any) -> str:
    try:
        pairs = json.loads(settings)
    except (TypeError, ValueError):
        return _text(settings)
    return (
        ", ".join(f"{key} = {value}" for key, value in sorted(pairs.items())) if isinstance(pairs, dict) else str(pairs)
    )
