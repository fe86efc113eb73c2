"""The verdict follows from the numbers, and the words say which."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from otklik.page.formats import LANGUAGES, Language
from otklik.page.rendering import Answer
from otklik.report import board, story
from otklik.report.facts import ReportFacts
from otklik.report.page import render
from otklik.report.texts import TEXTS, ReportVoice

MakeFacts = Callable[..., ReportFacts]
Row = Callable[..., dict[str, Any]]


def told(facts: ReportFacts, language: Language = "en") -> Answer:
    return story.answer(facts, board.read(facts), ReportVoice(language))


def test_a_gain_says_how_good_which_day_and_what_it_brings(make_facts: MakeFacts) -> None:
    answer = told(make_facts())
    assert answer.verdict == "gain"
    ranks, whom, what = answer.sentences
    assert "71 of 100" in ranks and "0.680–0.740" in ranks and "last 20%" in ranks
    assert "60 of 100" in whom and "contact day" in whom
    assert "510\u00a0₸" in what and "380–640" in what and "−800\u00a0₸" in what
    assert "response, not effect" in what


def test_where_a_control_group_has_been_measured_the_effect_is_told(make_facts: MakeFacts) -> None:
    facts = make_facts(effect={"campaign": "spring", "value": 0.021, "low": 0.011, "high": 0.031, "predicted": 0.12})
    answer = told(facts)
    assert "not effect" not in answer.sentences[2]
    assert "measured effect of contacting is 2.1% (95% 1.1%–3.1%, campaign “spring”)" in answer.sentences[2]
    assert any("predicted a response of 12.0%" in warning for warning in answer.warnings)
    assert not any("not effect" in warning for warning in answer.warnings)
    assert "spring" in " ".join(told(facts, "ru").sentences)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"auc_low": 0.49}, "nothing"),
        ({"auc": 0.43, "auc_low": 0.4, "auc_high": 0.46}, "nothing"),
        ({"auc_low": None, "auc_high": None}, "too_few"),
        ({"auc_low": 0.71, "auc_high": 0.71}, "too_few"),
        ({"auc_within_low": 0.497}, "day_only"),
        ({"auc_within": None, "auc_within_low": None, "auc_within_high": None}, "gain"),
    ],
)
def test_a_verdict_may_be_nothing_to_gain(
    make_facts: MakeFacts, board_row: Row, changes: dict[str, Any], verdict: str
) -> None:
    answer = told(make_facts(scoreboard=pd.DataFrame([board_row(**changes)])))
    assert answer.verdict == verdict
    if verdict == "nothing":
        assert answer.sentences[0].startswith("Nothing to gain here")


@pytest.mark.parametrize(
    ("of_list", "verdict", "words"),
    [
        ({"low": -4.0}, "unsure", "includes zero"),
        ({"out_of_fold_profit": -500.0, "low": -900.0, "high": -300.0}, "loses", "The list loses money"),
        ({"customers": 0}, "empty", "no customer's expected value covers"),
        ({"out_of_fold_profit": -900.0}, "everybody", "Targeting does not pay"),
        ({"out_of_fold_profit": None, "low": None, "high": None}, "gain", "is expected to bring 480"),
    ],
)
def test_the_list_s_verdict(
    make_facts: MakeFacts, action_values: Callable[..., pd.DataFrame], of_list: dict[str, Any], verdict: str, words: str
) -> None:
    answer = told(make_facts(action_value=action_values(**of_list)))
    assert answer.verdict == verdict
    assert words in answer.sentences[2]


def test_where_a_budget_limits_the_list_nobody_is_told_to_contact_everybody(
    make_facts: MakeFacts, action_values: Callable[..., pd.DataFrame]
) -> None:
    decision = {"cost": 3.0, "value": 11.0, "budget": 600.0}
    values = action_values(out_of_fold_profit=-900.0)

    assert told(make_facts(action_value=values)).verdict == "everybody"
    assert told(make_facts(action_value=values, task={"decision": decision})).verdict == "gain"
    ample = {**decision, "budget": 3000.0}
    assert told(make_facts(action_value=values, task={"decision": ample})).verdict == "everybody"
    unpaid = make_facts(action_value=action_values(customers=0), task={"decision": {**decision, "budget": 2.0}})
    assert "the budget of 2 pays for no contact" in told(unpaid).sentences[2]


@pytest.mark.parametrize(
    ("within", "said"),
    [(0.6, "Part of this is recognising good days"), (0.72, "Within one decision moment (contact day)")],
)
def test_only_what_is_lost_within_a_moment_is_knowing_the_day(
    make_facts: MakeFacts, board_row: Row, within: float, said: str
) -> None:
    answer = told(make_facts(scoreboard=pd.DataFrame([board_row(auc_within=within)])))

    assert answer.sentences[1].startswith(said)


def test_the_share_that_was_tested_is_that_of_the_rows_and_not_of_the_settings(
    make_facts: MakeFacts, board_row: Row
) -> None:
    """What is labelled today says nothing of a test that was made before."""
    rows = pd.DataFrame([board_row(rows=330), board_row(rows=990, split="random")])

    assert "the last 33% in time" in told(make_facts(scoreboard=rows)).sentences[0]


def test_without_cost_and_value_there_is_no_list_to_speak_of(make_facts: MakeFacts) -> None:
    answer = told(make_facts(task={"decision": None}))
    assert "no cost of a contact" in answer.sentences[2]
    assert any("Response, not effect" in warning for warning in answer.warnings)


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Miscalibrated: the response rate has shifted"), ("ru", "Калибровка нарушена: доля отклика сместилась")],
)
def test_a_rate_that_moved_is_said_first(make_facts: MakeFacts, board_row: Row, language: Language, words: str) -> None:
    answer = told(make_facts(scoreboard=pd.DataFrame([board_row(mean_probability=0.1)])), language)
    assert answer.warnings[0].startswith(words)
    steady = told(make_facts(), language)
    assert not any(warning.startswith(words) for warning in steady.warnings)


def test_what_a_table_of_accuracies_hides(make_facts: MakeFacts) -> None:
    remark = {"en": "Under 30 {rate: age < 30}, always no {share: label = 0}.", "ru": "…"}
    counts = pd.DataFrame(
        [("true", 1000, 200), ("age < 30", 300, 30), ("label = 0", 800, 0)], columns=["predicate", "rows", "positives"]
    )
    facts = make_facts(task={"report": {"remarks": [remark]}}, remark_counts=counts)
    sentences = story.hidden(facts, board.read(facts), ReportVoice("en"))
    text = " ".join(sentences)
    assert "always" in text.lower() and "80.0%" in text and "decision tree (without leaks) 78.0%" in text
    assert "Length of the call (duration)" in text and "0.900 instead of 0.710" in text
    assert "11.0% → " in text
    steady = facts.rates_over_time.assign(positives=20)
    assert "The response rate changes" not in " ".join(
        story.hidden(replace(facts, rates_over_time=steady), board.read(facts), ReportVoice("en"))
    )
    assert sentences[-1] == "Under 30 10.0%, always no 80.0%."


def test_without_a_champion_the_best_model_of_the_run_is_told(make_facts: MakeFacts, board_row: Row) -> None:
    rows = pd.DataFrame([board_row("decision_tree", auc=0.6), board_row("random_forest", auc=0.7)])
    read = board.read(make_facts(champion=None, scoreboard=rows))
    assert read.champion == "random_forest"


def test_where_no_feature_leaks_no_row_is_called_unusable(make_facts: MakeFacts) -> None:
    facts = make_facts()
    honest = replace(facts, features=[doc for doc in facts.features if not doc.is_known_after])

    assert set(board.read(facts).rows["leaks"]) == {"with", "without"}
    assert set(board.read(honest).rows["leaks"]) == {"without"}


def test_a_task_without_time_is_judged_shuffled(make_facts: MakeFacts, board_row: Row) -> None:
    read = board.read(make_facts(scoreboard=pd.DataFrame([board_row(split="random")])))
    assert read.split == "random"


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_computed_yet_is_said_plainly(empty_facts: ReportFacts, language: Language) -> None:
    answer = told(empty_facts, language)
    assert answer.verdict == "no_model"
    assert all(answer.sentences)


def test_both_languages_fill_the_same_places() -> None:
    places = {
        key: [{part.split("}")[0] for part in text.split("{")[1:]} for text in (texts.en, texts.ru)]
        for key, texts in TEXTS.items()
    }
    assert not {key: both for key, both in places.items() if not both[1] <= both[0]}
    assert all(texts.en.strip() and texts.ru.strip() for texts in TEXTS.values())


def test_the_headline_is_what_later_rows_say(make_facts: MakeFacts) -> None:
    """The rate rises tenfold: out of fold the list wins, on the later rows contacting all does."""
    later = [("list", 55_300.0, 310), ("random", 34_800.0, 310), ("all", 110_430.0, 985), ("none", 0.0, 0)]
    profits = pd.DataFrame(
        [(policy, "time", "profit", value, value - 9, value + 9, contacts) for policy, value, contacts in later],
        columns=["subject", "split", "measure", "value", "low", "high", "rows"],
    )
    facts = make_facts(measures=profits)

    said = told(facts)

    assert said.verdict == "everybody"
    assert "contacting all 985 brings 110,430 ₸ (95% 110,421–110,439)" in said.sentences[2].replace("\u00a0", " ")
    assert "55,300 ₸ (95% 55,291–55,309)" in said.sentences[2].replace("\u00a0", " ")
    assert "on the last 20% of rows in time" in said.sentences[2]
    assert [figure.value for figure in said.figures][-1].startswith("55,300")
    page = render(facts, "en")
    curve = page[page.index("<h4>Profit</h4>") :]
    assert ">on the last 20% of rows in time</text>" in curve[: curve.index("</svg>")]
    assert page.index("Profit by selection rule on the last") < page.index("Profit by selection rule<")


@pytest.mark.parametrize(
    ("language", "listed", "others"),
    [
        (
            "en",
            "brought 55,300 ₸ (95% 55,291–55,309)",
            ("10 ₸ (95% 1–19) for contacting all", "₸ (95% 34,791–34,809) for a "),
        ),
        (
            "ru",
            "55 300 ₸ (95 %: 55 291–55 309)",
            ("10 ₸ (95 %: 1–19) при обращении ко", "₸ (95 %: 34 791–34 809) при "),
        ),
    ],
)
def test_each_amount_of_the_headline_has_its_interval(
    make_facts: MakeFacts, language: Language, listed: str, others: tuple[str, ...]
) -> None:
    later = [("list", 55_300.0, 310), ("random", 34_800.0, 310), ("all", 10.0, 985), ("none", 0.0, 0)]
    profits = pd.DataFrame(
        [(policy, "time", "profit", value, value - 9, value + 9, contacts) for policy, value, contacts in later],
        columns=["subject", "split", "measure", "value", "low", "high", "rows"],
    )

    sentence = re.sub(r"\s", " ", told(make_facts(measures=profits), language).sentences[2])

    assert all(part in sentence for part in (listed, *others))


@pytest.mark.parametrize(
    ("random", "time", "low", "said"),
    [
        (0.8, 0.6, 0.58, "0.800, 0.090 above the best simpler model; on later rows it is 0.600, and logistic"),
        (0.7, 0.6, 0.58, "not worth it here. AUC 0.600 (later in time); logistic regression reaches 0.710"),
        (0.7, 0.73, 0.7, "AUC 0.730 (later in time), above 0.710 (logistic regression), but not significantly"),
        (0.8, 0.8, 0.76, "significantly above 0.710 (logistic regression)"),
    ],
)
def test_a_challenger_has_to_be_better_on_the_rows_that_decide(
    make_facts: MakeFacts, board_row: Row, random: float, time: float, low: float, said: str
) -> None:
    rows = [
        board_row(),
        board_row(split="random"),
        board_row("xgboost", auc=time, auc_low=low, auc_high=time + 0.04),
        board_row("xgboost", auc=random, split="random"),
    ]
    facts = make_facts(scoreboard=pd.DataFrame(rows))
    for language in LANGUAGES:
        sentences = story.hidden(facts, board.read(facts), ReportVoice(language))
        assert sum("xgboost" in sentence for sentence in sentences) == 1
    assert any(said in sentence for sentence in story.hidden(facts, board.read(facts), ReportVoice("en")))


@pytest.mark.parametrize(("last", "said"), [("2023-05-01", "2 years before this page"), ("2025-09-01", "")])
def test_a_list_of_decisions_that_lie_years_back_says_so(make_facts: MakeFacts, last: str, said: str) -> None:
    moments = (pd.Timestamp("2022-03-01"), pd.Timestamp(last))
    facts = make_facts(list_moments=moments, written_at=datetime(2025, 12, 1, tzinfo=UTC))

    warnings = " ".join(told(facts).warnings)

    assert (said in warnings) if said else ("before this page" not in warnings)
    assert "1 March 2022" in warnings.replace("\u00a0", " ") or not said
