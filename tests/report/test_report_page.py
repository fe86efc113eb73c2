"""The page as HTML: self-contained, accessible, the same each time, and safe against what data may hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest

from otklik.lake.tables import ACTIONS, FILES, FINDINGS, Table
from otklik.page.formats import LANGUAGES, Language
from otklik.report.facts import ReportFacts
from otklik.report.page import render
from otklik.report.texts import ReportWords

MakeFacts = Callable[..., ReportFacts]


class Seen(HTMLParser):
    """What a reader's program finds on the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.said: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.said += [text for name, text in attrs if text and name in ("aria-label", "alt", "title")]

    def handle_data(self, data: str) -> None:
        self.text += data
        self.said.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(params=LANGUAGES)
def page(request: pytest.FixtureRequest, pages: dict[Language, str]) -> tuple[Language, str]:
    return request.param, pages[request.param]


def test_the_page_stands_alone(page: tuple[Language, str]) -> None:
    seen = Seen(page[1])
    assert seen.all("html") == [{"lang": page[0]}]
    outer = [a.get("src") or a.get("href") for _, a in seen.tags if a.get("src") or a.get("href")]
    assert all(str(place).startswith(("#", "data:")) for place in outer)
    assert "http" not in re.sub(r"http://www\.w3\.org/(2000/svg|1999/xlink)", "", page[1])
    assert "@import" not in page[1] and not seen.all("script")
    assert len(page[1]) < 2_000_000


def test_pictures_have_words_and_tables_have_heads(page: tuple[Language, str]) -> None:
    seen = Seen(page[1])
    pictures = seen.all("svg")
    assert len(pictures) >= 12
    assert all(picture["role"] == "img" and len(str(picture["aria-label"])) > 20 for picture in pictures)
    assert len(seen.all("caption")) == len(seen.all("table"))
    assert all(head["scope"] in ("col", "row", "rowgroup") for head in seen.all("th"))


def test_ids_are_unique_and_links_lead_somewhere(page: tuple[Language, str]) -> None:
    seen = Seen(page[1])
    ids = [str(a["id"]) for _, a in seen.tags if "id" in a]
    assert len(ids) == len(set(ids))
    anchors = {str(a["href"])[1:] for a in seen.all("a")} | {
        str(a["xlink:href"])[1:] for a in seen.all("use") if "xlink:href" in a
    }
    assert anchors <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", page[1])) <= set(ids)


def test_pictures_take_their_colours_from_the_page(page: tuple[Language, str]) -> None:
    drawn = "".join(re.findall(r"<svg.*?</svg>", page[1], flags=re.DOTALL))
    assert "var(--accent)" in drawn
    assert not re.findall(r"#[0-9a-f]{6}\b", drawn)


def test_words_are_all_in_one_language(page: tuple[Language, str]) -> None:
    words = re.sub(r"<style>.*?</style>", "", page[1], flags=re.DOTALL)
    said = " ".join(Seen(words).said)
    assert ("The answer" in said) == (page[0] == "en")
    assert ("Содержание" in said) == (page[0] == "ru")
    assert "{" not in words
    if page[0] == "ru":
        names = {"age", "city", "duration", "calls", "contacts", "calls_features", "gold", "silver", "reg_param"}
        values = {"csv", "odd", "k1", "k2", "models", "x", "ab", "abc", "abcdef"}  # files, rules, keys, folders, hashes
        measures = {"AUC", "PR", "ROC", "ECE", "PSI", "SVC", "UTC", "e"}
        assert set(re.findall(r"[A-Za-z]\w*", said)) - names - values - measures == set()
    else:
        assert set(re.findall(r"[Ѐ-ӿ]+", said)) == {"Қызылорда", "Шымкент", "Тараз", "Семей"}


@pytest.mark.parametrize(
    ("table", "column", "prefix"),
    [
        (FINDINGS, "kind", "kind"),
        (FINDINGS, "action", "action"),
        (FILES, "status", "status"),
        (ACTIONS, "arm", "arm"),
    ],
)
def test_what_a_table_says_of_its_values_has_words_on_the_page(table: Table, column: str, prefix: str) -> None:
    meaning = next(found.meaning for found in table.columns if found.name == column)
    values = [value.strip() for value in re.sub(r"\(.*?\)", "", meaning).split("|")]

    assert len(values) > 1
    assert [value for value in values if re.search("[a-z]", ReportWords("ru").known(prefix, value))] == []


def test_files_that_were_replaced_are_shown_but_not_counted(make_facts: MakeFacts) -> None:
    balances = make_facts().balances
    replaced = balances.assign(file="old.csv", status="replaced", rows=5003, accepted=5000, inserted=5000)
    facts = make_facts(balances=pd.concat([balances, replaced]))

    text = re.sub(r"\s+", " ", Seen(render(facts, "en")).text)

    assert "1,010 records in 1 file: 1,007 accepted, 2 rejected, 1 duplicates" in text
    assert "Files replaced by later ones of the same name, not counted: 1." in text
    assert "old.csv" in text and "5,003" in text


@pytest.mark.parametrize(
    ("of_city", "action", "said"),
    [
        (
            0.4,
            "warned",
            "1 of 3 features have drifted beyond the limit of 0.2 (PSI); most of all city, 0.40.",
        ),
        (
            0.4,
            "kept",
            "No feature has drifted beyond the limit of 0.2 (PSI) by more than chance.",
        ),
    ],
)
def test_the_models_own_score_is_no_feature_that_drifted(
    make_facts: MakeFacts, of_city: float, action: str, said: str
) -> None:
    city = make_facts().findings.head(1).assign(value=of_city, action=action)
    findings = pd.concat([city, city.assign(feature="raw_score", value=0.5)])

    text = re.sub(r"\s+", " ", Seen(render(make_facts(findings=findings), "en")).text)

    assert f"{said} The PSI of the model's own score is 0.50." in text


def test_money_is_in_the_words_of_each_language(make_facts: MakeFacts) -> None:
    decision = {"cost": 3.0, "value": 11.0, "currency": {"en": "thousand ₸", "ru": "тыс. ₸"}}
    facts = make_facts(task={"decision": decision})
    english, russian = render(facts, "en"), render(facts, "ru")

    assert english.count("thousand ₸") == russian.count("тыс. ₸") > 10
    assert "тыс." not in english and "thousand" not in russian
    assert render(make_facts(), "en") == english.replace("thousand ₸", "₸")


def test_the_same_facts_give_the_same_page(make_facts: MakeFacts, pages: dict[Language, str]) -> None:
    assert render(make_facts(), "ru") == pages["ru"]


def test_markup_and_formulas_in_the_data_stay_text(
    make_facts: MakeFacts, attribute_counts: Callable[..., pd.DataFrame]
) -> None:
    hostile = '<script>alert("x")</script> $\\frac{1$ & \'quote\' id="answer"'
    rates = attribute_counts(("city", "level", hostile, 500, 60), ("city", "level", "b", 500, 140))
    seen = Seen(render(make_facts(attribute_rates=rates), "en"))
    assert not seen.all("script")
    assert hostile in seen.text


def test_a_missing_number_is_a_dash_and_a_leaking_row_is_marked(page: tuple[Language, str]) -> None:
    text = re.sub(r"\s+", " ", Seen(page[1]).text)
    assert ("cannot be used" if page[0] == "en" else "применять нельзя") in text
    assert "—" in text and "nan" not in text.lower().split()


def test_at_most_twenty_of_the_list_are_shown(make_facts: MakeFacts) -> None:
    facts = make_facts()
    many = facts.top_actions.loc[[0] * 30].assign(rank=range(1, 31), key=[f"key{n}" for n in range(1, 31)])
    text = Seen(render(make_facts(top_actions=many), "en")).text
    assert "key20" in text and "key21" not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_task_of_which_nothing_is_known_yet_still_has_a_page(empty_facts: ReportFacts, language: Language) -> None:
    seen = Seen(render(empty_facts, language))
    assert len(seen.all("section")) == 11


@pytest.mark.parametrize(
    ("serves", "as_of", "language", "said"),
    [
        (False, "2024-04-30", "en", "the older model stays in use"),
        (False, "2024-03-31", "en", "the older model stays in use"),
        (False, "2024-02-29", "en", "The scores come from another model"),
        (True, "2024-04-30", "ru", "Оценки дала другая модель"),
        (None, "2024-04-30", "en", "Champion: "),
    ],
)
def test_what_became_of_a_later_training_is_said(
    make_facts: MakeFacts, serves: bool | None, as_of: str, language: Language, said: str
) -> None:
    facts = make_facts()
    assert facts.champion is not None
    trained = {"trained_at": pd.Timestamp(as_of), "sequence": 2}
    its_own = {"model": "random_forest", "value": 0.7, "serves": serves, **trained}
    later = None if serves is None else {**facts.champion, **its_own}

    text = Seen(render(replace(facts, challenger=later), language)).text

    assert said in text
    assert ("is not better by" in text) == (said == "the older model stays in use")


def test_curves_whose_predictions_are_gone_are_missed_in_words(make_facts: MakeFacts) -> None:
    text = Seen(render(replace(make_facts(), score_counts=None), "en")).text

    assert "The curves of this model can no longer be drawn" in text
    assert "Champion: " in text


def test_a_task_without_time_order_or_decision_says_so(make_facts: MakeFacts) -> None:
    facts = make_facts()
    shuffled = facts.scoreboard[facts.scoreboard["split"] == "random"]
    # Where all rows share a moment, a pair within it is any pair.
    shuffled = shuffled.assign(**{f"auc_within{end}": shuffled[f"auc{end}"] for end in ("", "_low", "_high")})
    page = render(
        make_facts(task={"rows": {"sql": "contacts", "time_ordered": False}, "decision": None}, scoreboard=shuffled),
        "en",
    )
    text = re.sub(r"\s+", " ", Seen(page).text)
    assert "This data has no time order" in text
    assert "within one decision moment" not in text
    assert "grouped AUC" not in text
    assert "The top decile responds" in text
    assert "There is no list" in text


def odds(feature: str, level: str, reference: str, value: float) -> dict[str, object]:
    ratio = {"feature": feature, "level": level, "reference": reference, "value": value, "low": None, "high": None}
    return {"task": "calls", "run_id": "r", "model": "logistic_regression", "kind": "odds_ratio", **ratio, "note": ""}


def test_no_headline_rests_on_a_few_rows(make_facts: MakeFacts, attribute_counts: Callable[..., pd.DataFrame]) -> None:
    """Three rows of one job had the greatest ratio; only what enough rows carry is told in a sentence."""
    explained = pd.DataFrame([odds("job", "student", "clerk", 40.0), odds("job", "retired", "clerk", 3.0)])
    counts = attribute_counts(
        ("job", "level", "clerk", 900, 90), ("job", "level", "retired", 60, 15), ("job", "level", "student", 3, 3)
    )

    page = render(make_facts(explanations=explained, attribute_rates=counts), "en")

    assert "retired (against clerk) changes the odds of a “yes” most: by a factor of 3.00" in page
    assert "student (against clerk) changes" not in page
    alone = make_facts(explanations=explained.head(1), attribute_rates=counts)
    assert "No ratio here compares two levels of 50 rows or more each." in render(alone, "en")


def test_a_flat_dependence_is_called_flat(make_facts: MakeFacts) -> None:
    points = [{**odds("age", level, "", 0.1020001 + place / 1e6), "kind": "partial_dependence"}
              for place, level in enumerate(("20", "999"))]  # fmt: skip

    page = render(make_facts(explanations=pd.DataFrame(points)), "en")

    assert "The probability hardly depends on it: 10.2% at every point." in page
    assert "Highest at" not in page


def test_a_dependence_says_what_holds_where_the_number_is_missing(make_facts: MakeFacts) -> None:
    points = [{**odds("age", level, "", value), "kind": "partial_dependence"}
              for level, value in (("20", 0.1), ("60", 0.3), ("(missing)", 0.05))]  # fmt: skip

    page = render(make_facts(explanations=pd.DataFrame(points)), "en")

    assert "Highest at 60: 30.0%; lowest at 20: 10.0%. If it is missing: 5.0%." in page


@pytest.mark.parametrize(
    ("named", "said"),
    [("age", "The reasons of the scores agree: “"), ("job", "though shuffling it costs only 0.001")],
)
def test_reasons_are_held_against_what_shuffling_costs(make_facts: MakeFacts, named: str, said: str) -> None:
    costs = {"age": 0.1, "sex": 0.05, "city": 0.04, "job": 0.001}
    shuffled = [
        {**odds(feature, "", "", cost), "kind": "permutation", "low": cost, "high": cost}
        for feature, cost in costs.items()
    ]
    weights = pd.DataFrame({"feature": [named, "sex"], "weight": [0.7, 0.3]})

    assert said in render(make_facts(explanations=pd.DataFrame(shuffled), reason_weights=weights), "en")
