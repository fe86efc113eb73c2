"""The verdict, the answer in three sentences, and the sentences that qualify good-looking numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from otklik.inference import wilson
from otklik.kind import Finding, Measure, Verdict, VerdictCode
from otklik.models.choice import CHALLENGERS
from otklik.page.formats import NOTHING, is_number
from otklik.page.rendering import Answer, KeyFigure
from otklik.report.board import (
    MAJORITY,
    Board,
    Row,
    beats_guessing,
    has_interval,
    is_below_majority,
    observed_rate,
)
from otklik.report.board import read as board_of
from otklik.report.facts import ReportFacts, records
from otklik.report.rates import fifths, is_apart
from otklik.report.texts import ReportVoice
from otklik.task import Decision

_QUOTED = re.compile(r"\{(rate|share|rows): ([^{}]+)\}")


def answer(facts: ReportFacts, board: Board, voice: ReportVoice) -> Answer:
    """The verdict, its sentences and key figures; every number comes from the facts."""
    told = board.told
    policies = deciding_policies(facts)
    verdict = _verdict(told, policies, facts.task.decision)
    return Answer(
        verdict,
        voice.words(f"verdict.{verdict}"),
        (
            _sentence_on_ranking(board, told, verdict, voice),
            _sentence_on_whom(facts, told, verdict, voice),
            _sentence_on_list(facts, board, told, policies, voice),
        ),
        _key_figures(facts, board, told, policies, voice),
        _warnings(facts, board, told, voice),
    )


#: Verdict of classify → the common verdict of all kinds.
_OF_ALL_KINDS: dict[str, VerdictCode] = {"gain": "gain", "too_few": "too_little_data", "no_model": "too_little_data"}


def verdict_of(facts: ReportFacts) -> Verdict:
    """The verdict as in gold.verdicts: the common verdict of all kinds, with the one of classify as its reason."""
    read = board_of(facts)
    told, own = read.told, _verdict(read.told, deciding_policies(facts), facts.task.decision)
    key = None
    if told is not None:
        low, high = _number(told["auc_low"]), _number(told["auc_high"])
        key = Measure("auc", _number(told["auc"]), "", read.split, low, high, 0.5, int(told["rows"]))
    return Verdict(_OF_ALL_KINDS.get(own, "no_gain"), [Finding(own)], key)


def policies_of(facts: ReportFacts) -> dict[str, Row]:
    """gold.action_value by policy; empty if the task declares no cost and value."""
    if facts.task.decision is None or facts.action_value.empty:
        return {}
    rows = facts.action_value.to_dict("records")
    return {str(row["policy"]): {str(name): value for name, value in row.items()} for row in rows}


def later_policies(facts: ReportFacts) -> dict[str, Row]:
    """The same on the later rows, for a list by a model trained on earlier rows; empty without time order."""
    found = facts.measures[(facts.measures["measure"] == "profit") & (facts.measures["split"] == "time")]
    if facts.task.decision is None or facts.action_value.empty:
        return {}
    return {
        str(row["subject"]): {
            "customers": row["rows"],
            "expected_profit": None,
            "out_of_fold_profit": row["value"],
            "low": row["low"],
            "high": row["high"],
        }
        for row in found.to_dict("records")
    }


def deciding_policies(facts: ReportFacts) -> dict[str, Row]:
    """The policies that decide the verdict: on later rows, otherwise out of fold."""
    return later_policies(facts) or policies_of(facts)


def profit_of(policy: Row) -> float | None:
    """The profit of a policy on labelled rows, or its expected profit without them."""
    realised = policy["out_of_fold_profit"]
    return float(realised) if is_number(realised) else _number(policy["expected_profit"])


def moment_in_brackets(facts: ReportFacts, voice: ReportVoice) -> str:
    """What a decision moment is, in brackets; empty if the task does not say."""
    moment = facts.task.rows.moment_is
    return "" if moment is None else f" ({moment[voice.language]})"


def share_tested(board: Board) -> float | None:
    """The share of labelled rows in the time test part; None without a time split."""
    later, all_rows = board.models("without", "time"), board.models("without", "random")
    return float(later[0]["rows"]) / float(all_rows[0]["rows"]) if later and all_rows else None


def response_rate(facts: ReportFacts) -> tuple[int, int]:
    """Labelled rows, and those among them with label 1."""
    states = dict(zip(facts.label_states["label_state"], facts.label_states["rows"], strict=True))
    yes = int(states.get("yes", 0))
    return yes + int(states.get("no", 0)), yes


def hidden(facts: ReportFacts, board: Board, voice: ReportVoice) -> list[str]:
    """What accuracies alone hide, computed from the facts; then the task's own remarks."""
    sentences = [*_below_majority(board, voice), *_leak_sentences(facts, board, voice)]
    if facts.has_time:
        parts = fifths(facts.rates_over_time)
        if is_apart(parts):
            listed = " → ".join(voice.formats.percent(rate) for rate in parts["rate"])
            sentences.append(voice.words("hidden.rate", fifths=listed))
    told = board.told
    shuffled = None if board.champion is None else board.row(board.champion, "without", "random")
    if told is not None and shuffled is not None and board.split == "time":
        key = "hidden.split_harder" if _is_below(told, shuffled, "auc") else "hidden.split"
        sentences.append(
            voice.words(
                key,
                model=voice.words(f"model.{board.champion}"),
                random=voice.formats.decimal(shuffled["auc"]),
                time=voice.formats.decimal(told["auc"]),
            )
        )
    sentences += _challenger_sentences(board, voice)
    return sentences + [with_numbers(remark[voice.language], facts.remark_counts, voice) for remark in _remarks(facts)]


def with_numbers(remark: str, counts: pd.DataFrame, voice: ReportVoice) -> str:
    """A remark with its `{rate: …}`, `{share: …}` and `{rows: …}` replaced by numbers from the data.

    Args:
        remark: the text from the task.
        counts: predicate, rows, positives; the predicate "true" counts all labelled rows.
        voice: the language.
    """
    known = {record.predicate: record for record in records(counts)}

    def quoted(match: re.Match[str]) -> str:
        record, everything = known.get(match[2].strip()), known.get("true")
        if record is None or everything is None:
            return NOTHING
        if match[1] == "rows":
            return voice.formats.integer(float(record.rows))
        part, whole = (record.positives, record.rows) if match[1] == "rate" else (record.rows, everything.rows)
        return voice.formats.percent(float(part) / float(whole) if whole else None)

    return _QUOTED.sub(quoted, remark)


def _remarks(facts: ReportFacts) -> list[Any]:
    return list(facts.task.report.remarks)


def _is_below(row: Row, other: Row, measure: str) -> bool:
    """Whether the interval of a metric is entirely below that of another row."""
    high, low = row[f"{measure}_high"], other[f"{measure}_low"]
    return is_number(high) and is_number(low) and bool(high < low)


def _verdict(told: Row | None, policies: Mapping[str, Row], decision: Decision | None) -> str:
    if told is None:
        return "no_model"
    if is_number(told["auc"]) and told["auc"] > 0.5 and not has_interval(told):
        return "too_few"
    if not beats_guessing(told):
        return "nothing"
    if is_number(told["auc_within"]) and not beats_guessing(told, "auc_within"):
        return "day_only"
    return "gain" if decision is None or "list" not in policies else _verdict_on_list(policies, decision)


def _verdict_on_list(policies: Mapping[str, Row], decision: Decision) -> str:
    listed = policies["list"]
    if not listed["customers"]:
        return "empty"
    if is_number(listed["high"]) and listed["high"] < 0:
        return "loses"
    if is_number(listed["low"]) and listed["low"] <= 0:
        return "unsure"
    return "everybody" if _all_pays_as_well(policies, decision) else "gain"


def _all_pays_as_well(policies: Mapping[str, Row], decision: Decision) -> bool:
    """Whether contacting everybody brings at least as much as the list, and the budget covers it."""
    if "all" not in policies:
        return False
    profit, of_all = profit_of(policies["list"]), profit_of(policies["all"])
    is_paid = decision.budget is None or decision.budget >= decision.cost * policies["all"]["customers"]
    return is_paid and profit is not None and of_all is not None and of_all >= profit


def _sentence_on_ranking(board: Board, told: Row | None, verdict: str, voice: ReportVoice) -> str:
    words, formats = voice.words, voice.formats
    if told is None:
        return words("answer.no_model")
    values = {
        "model": words(f"model.{told['model']}"),
        "auc": formats.decimal(told["auc"]),
        "interval": formats.interval(told["auc_low"], told["auc_high"], formats.decimal) or NOTHING,
    }
    if verdict in ("nothing", "too_few"):
        return words(f"answer.{verdict}", **values)
    share = formats.percent(share_tested(board), 0)
    later = words("answer.later", share=share) if board.split == "time" else ""
    return words("answer.ranks", later=later, pairs=_pairs(told["auc"]), **values)


def _sentence_on_whom(facts: ReportFacts, told: Row | None, verdict: str, voice: ReportVoice) -> str:
    words, formats = voice.words, voice.formats
    rows, yes = response_rate(facts)
    low, high = wilson([yes], [rows])
    if told is None or verdict in ("nothing", "too_few"):
        rate = formats.percent(yes / rows if rows else None)
        return words("answer.overall_only", rate=rate, interval=formats.percent_interval(float(low[0]), float(high[0])))
    if is_number(told["auc_within"]):
        helps = "answer.within" if told["auc_within"] < told["auc"] else "answer.within_all"
        return words(
            helps if beats_guessing(told, "auc_within") else "answer.day_only",
            moment=moment_in_brackets(facts, voice),
            pairs=_pairs(told["auc_within"]),
            auc=formats.decimal(told["auc_within"]),
            interval=formats.interval(told["auc_within_low"], told["auc_within_high"], formats.decimal) or NOTHING,
        )
    return words(
        "answer.best_tenth",
        lift=formats.decimal(told["lift_10"], 1),
        rate=formats.percent(observed_rate(told)),
        interval=formats.interval(told["lift_10_low"], told["lift_10_high"], lambda x: formats.decimal(x, 1))
        or NOTHING,
        gain=formats.percent(told["gain_50"], 0),
    )


def _sentence_on_list(
    facts: ReportFacts, board: Board, told: Row | None, policies: Mapping[str, Row], voice: ReportVoice
) -> str:
    words, formats, decision = voice.words, voice.formats, facts.task.decision
    if decision is None:
        return words("answer.no_costs")
    if "list" not in policies:
        return words("list.not_yet")
    listed, everybody = policies["list"], policies.get("all")

    def money(amount: float | None) -> str:
        return formats.money(amount, decision.currency[voice.language])

    def ranged(policy: Row) -> str:
        interval = formats.interval(_number(policy["low"]), _number(policy["high"]), formats.money)
        value = money(profit_of(policy))
        return words("answer.interval", value=value, interval=interval) if interval else value

    if not listed["customers"]:
        is_unpaid = decision.budget is not None and decision.budget < decision.cost
        return words("answer.list_unpaid", budget=money(decision.budget)) if is_unpaid else words("answer.list_empty")
    values = {
        "customers": formats.integer(listed["customers"]),
        "everybody": NOTHING if everybody is None else formats.integer(everybody["customers"]),
        "profit": money(profit_of(listed)),
        "listed": ranged(listed),
        "all": NOTHING if everybody is None else ranged(everybody),
        "interval": formats.interval(_number(listed["low"]), _number(listed["high"]), formats.money),
        "miscalibrated": words("answer.miscalibrated") if told is not None and board.is_miscalibrated(told) else "",
        "on": rows_told(facts, board, voice),
        "random": "",
        "effect": words("answer.effect_unknown"),
    }
    measured = _effect_values(facts, voice)
    if measured is not None:
        values["effect"] = words("answer.effect_known", **measured)
    if "random" in policies:
        values["random"] = words("answer.random", random=ranged(policies["random"]))
    verdict = _verdict_on_list(policies, decision)
    if verdict == "gain":
        return words("answer.list" if is_number(listed["out_of_fold_profit"]) else "answer.list_expected", **values)
    return words(f"answer.list_{verdict}", **values)


def _effect_values(facts: ReportFacts, voice: ReportVoice) -> dict[str, str] | None:
    """The effect of the contacts, from the control group of the last campaign with a follow-up; None without one."""
    last = facts.effect
    if last is None:
        return None
    low, high = (_number(last[name]) for name in ("low", "high"))
    return {
        "campaign": str(last["campaign"]),
        "effect": voice.formats.percent(_number(last["value"])),
        "interval": voice.formats.interval(low, high, voice.formats.percent) or NOTHING,
        "predicted": voice.formats.percent(_number(last["predicted"])),
    }


def rows_told(facts: ReportFacts, board: Board, voice: ReportVoice) -> str:
    """The rows on which amounts are reported."""
    if not later_policies(facts):
        return voice.words("answer.on_past")
    return voice.words("answer.on_later", share=voice.formats.percent(share_tested(board), 0))


def _key_figures(
    facts: ReportFacts, board: Board, told: Row | None, policies: Mapping[str, Row], voice: ReportVoice
) -> tuple[KeyFigure, ...]:
    words, formats = voice.words, voice.formats
    rows, yes = response_rate(facts)
    low, high = wilson([yes], [rows])
    interval = formats.percent_interval(float(low[0]), float(high[0]))
    figures = [
        KeyFigure(
            words("figure.rate"),
            formats.percent(yes / rows if rows else None),
            words("figure.rate_note", interval=interval),
        )
    ]
    if told is not None:
        figures.append(_measured(told, "auc", words("figure.auc", split=words(f"split.{board.split}")), 3, voice))
        if is_number(told["auc_within"]):
            figures.append(_measured(told, "auc_within", words("figure.within"), 3, voice))
        else:
            figures.append(_measured(told, "lift_10", words("figure.lift"), 2, voice))
    if "list" in policies and facts.task.decision is not None:
        listed, currency = policies["list"], facts.task.decision.currency[voice.language]
        note = words("figure.profit_expected")
        if is_number(listed["out_of_fold_profit"]):
            amounts = formats.interval(_number(listed["low"]), _number(listed["high"]), formats.money)
            note = words("figure.profit_note", interval=amounts or NOTHING, on=rows_told(facts, board, voice))
        figures.append(KeyFigure(words("figure.profit"), formats.money(profit_of(listed), currency), note))
    return tuple(figures)


def _measured(told: Row, measure: str, label: str, digits: int, voice: ReportVoice) -> KeyFigure:
    note = {"auc": "auc", "auc_within": "within", "lift_10": "lift"}[measure]
    interval = voice.formats.interval(
        told[f"{measure}_low"], told[f"{measure}_high"], lambda x: voice.formats.decimal(x, digits)
    )
    return KeyFigure(
        label,
        voice.formats.decimal(told[measure], digits),
        voice.words(f"figure.{note}_note", interval=interval or NOTHING),
    )


def _warnings(facts: ReportFacts, board: Board, told: Row | None, voice: ReportVoice) -> tuple[str, ...]:
    words, formats = voice.words, voice.formats
    warnings = []
    if told is not None and board.is_miscalibrated(told):
        warnings.append(
            words(
                "warn.miscalibrated",
                predicted=formats.percent(told["mean_probability"]),
                observed=formats.percent(observed_rate(told)),
            )
        )
    if facts.task.decision is None:
        warnings.append(words("warn.response_only"))
    else:
        arms = dict(zip(facts.action_arms["arm"], facts.action_arms["rows"], strict=True))
        held = int(arms.get("control", 0))
        control = words("warn.control", rows=formats.integer(held)) if held else ""
        measured = _effect_values(facts, voice)
        warnings.append(
            words("warn.response", control=control) if measured is None else words("warn.effect", **measured)
        )
    if facts.list_moments is not None and facts.written_at is not None:
        first, last = facts.list_moments
        years = (pd.Timestamp(facts.written_at).tz_localize(None) - last).days // 365
        if years:
            word = formats.plural(years, *words("warn.years").split("|"))
            warnings.append(
                words("warn.old_list", first=formats.day(first), last=formats.day(last), years=f"{years} {word}")
            )
    leaking = _known_after(facts, voice)
    if leaking:
        warnings.append(words("warn.leaks", features=leaking))
    return tuple(warnings)


def _known_after(facts: ReportFacts, voice: ReportVoice) -> str:
    return ", ".join(
        f"{doc.meaning[voice.language]} ({doc.name})" if doc.meaning[voice.language] != doc.name else doc.name
        for doc in facts.features
        if doc.is_known_after
    )


def _below_majority(board: Board, voice: ReportVoice) -> list[str]:
    """For each split: accuracy of the majority answer, and the models below it."""
    words, formats = voice.words, voice.formats
    sentences = []
    for split in ("random", "time"):
        told: dict[str, str] = {}
        majority: float | None = None
        for leaks in ("without", "with"):
            for row in board.models(leaks, split):
                majority = row["majority_accuracy"] if majority is None else majority
                if is_below_majority(row):
                    name = f"{words('model.' + row['model'])} ({words('models.leaks_' + leaks)})"
                    told[name] = formats.percent(row["accuracy"])
        if majority is not None and (told or split == board.split):
            listed = ", ".join(f"{name} {accuracy}" for name, accuracy in told.items())
            below = words("hidden.below", models=listed) if told else ""
            way = words(f"split.{split}")
            sentences.append(words("hidden.majority", majority=formats.percent(majority), way=way, below=below))
    return sentences


def _challenger_sentences(board: Board, voice: ReportVoice) -> list[str]:
    """The gain of each challenger over the best simpler model on the decisive rows, and whether it holds over time."""

    def best_of(rows: list[Row]) -> Row:
        return max(rows, key=lambda row: float(row["auc"]))

    sentences = []
    for name in CHALLENGERS:
        judged = {}
        for split in dict.fromkeys((board.split, "random")):
            rows = [row for row in board.models("without", split) if row["model"] != MAJORITY and is_number(row["auc"])]
            simple = [row for row in rows if row["model"] not in CHALLENGERS]
            own = [row for row in rows if row["model"] == name]
            if own and simple:
                judged[split] = (own[0], best_of(simple))
        if board.split not in judged:
            continue
        told, simple_best = judged[board.split]
        shuffled, shuffled_best = judged.get("random", judged[board.split])
        gain, gain_shuffled = told["auc"] - simple_best["auc"], shuffled["auc"] - shuffled_best["auc"]
        if gain > 0:
            key = "better" if has_interval(told) and told["auc_low"] > simple_best["auc"] else "unsure"
        else:
            key = "gone" if gain_shuffled > 0 else "none"
        decimal = voice.formats.decimal
        model = voice.words(f"model.{name}")
        sentences.append(
            voice.words(
                f"hidden.challenger_{key}",
                model=model[:1].upper() + model[1:],
                told=decimal(told["auc"]),
                split=voice.words(f"split.{board.split}"),
                simple=voice.words(f"model.{simple_best['model']}"),
                best=decimal(simple_best["auc"]),
                random=decimal(shuffled["auc"]),
                gain=decimal(gain_shuffled),
            )
        )
    return sentences


def _leak_sentences(facts: ReportFacts, board: Board, voice: ReportVoice) -> list[str]:
    leaking = _known_after(facts, voice)
    with_leaks = None if board.champion is None else board.row(board.champion, "with", board.split)
    if not leaking or with_leaks is None or board.told is None:
        return []
    return [
        voice.words(
            "hidden.leak",
            features=leaking[:1].upper() + leaking[1:],
            with_leaks=voice.formats.decimal(with_leaks["auc"]),
            without=voice.formats.decimal(board.told["auc"]),
            split=voice.words(f"split.{board.split}"),
        )
    ]


def _pairs(auc: float) -> int:
    return round(100 * auc)


def _number(value: Any) -> float | None:
    return float(value) if is_number(value) else None
