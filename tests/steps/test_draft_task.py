"""A first task of every kind, as `otklik draft --task KIND SOURCE` writes it, is one that `otklik check` accepts."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from otklik.errors import ConfigurationError
from otklik.kinds import KINDS
from otklik.project_files import find_project
from otklik.steps import offline

CONTRACT = Path(__file__).resolve().parents[2] / "conf" / "sources" / "hillstrom_email.toml"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_first_task_of_each_kind_is_accepted(kind: str, tmp_path: Path) -> None:
    drafted = tmp_path / "drafted.toml"
    drafted.write_text(offline.draft([str(CONTRACT)], kind, find_project(None)), encoding="utf-8")

    said = offline.check([str(drafted)], find_project(None), {})
    assert f"a task of kind {kind}, " in said
    assert ", fine" in said


def test_a_first_task_on_dependencies_names_an_outcome_that_is_there(tmp_path: Path) -> None:
    drafted = tmp_path / "drafted.toml"
    text = offline.draft([str(CONTRACT)], "dependency", find_project(None))
    assert 'outcomes = ["conversion"]' in text
    drafted.write_text(text.replace('["conversion"]', '["convulsion"]'), encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"outcomes: convulsion is no column of frames\.customers\.columns"):
        offline.check([str(drafted)], find_project(None), {})


def test_arms_and_the_answer_of_an_example_are_those_of_the_contract() -> None:
    drafted = tomllib.loads(offline.draft([str(CONTRACT)], "experiment", find_project(None)))

    assert (drafted["control"], [*drafted["arms"]]) == ("No E-Mail", ["No E-Mail", "Mens E-Mail", "Womens E-Mail"])
    assert drafted["metrics"] == {"conversion": {"type": "share", "worth": 0.01}}


def test_an_answer_in_words_is_given_as_a_number() -> None:
    drafted = tomllib.loads(offline.draft(["mailings"], "uplift", find_project(None)))

    columns = drafted["frames"]["units"]["columns"]
    assert columns["outcome"] == "IF(bought = 'yes', 1, 0)"
    assert not {"bought", "spent"} & {*columns}
    assert drafted["arms"] == {"control": 1, "discount": 1, "story": 1}


def test_of_more_arms_than_a_kind_compares_two_are_taken() -> None:
    text = offline.draft([str(CONTRACT)], "effect", find_project(None))

    assert "# two arms are compared; the source also has: Womens E-Mail" in text
    drafted = tomllib.loads(text)
    assert drafted["frames"]["units"]["where"] == "segment IN ('No E-Mail', 'Mens E-Mail')"
    assert (drafted["control"], drafted["contacted"]) == ("No E-Mail", "Mens E-Mail")
    # One customer got several mails, in different arms: what was assigned is the mail.
    mailings = tomllib.loads(offline.draft(["mailings"], "effect", find_project(None)))["frames"]["units"]
    assert (mailings["columns"]["unit"], mailings["where"]) == ("mail_id", "arm IN ('control', 'discount')")
    assert "where" not in tomllib.loads(offline.draft(["mailings"], "uplift", find_project(None)))["frames"]["units"]


def test_lists_of_a_first_follow_up_are_those_that_were_made_here() -> None:
    sources = ["offer_contacts", "offer_orders"]
    drafted = tomllib.loads(offline.draft(sources, "follow_up", find_project(None)))

    assert drafted["inputs"] == {**{source: f"silver.{source}" for source in sources}, "lists": "gold.lists"}
    assert drafted["frames"]["listed"] == {"input": "lists"}
    assert drafted["frames"]["contacts"]["input"] == "offer_contacts"
    assert drafted["frames"]["outcomes"]["input"] == "offer_orders"


def test_weeks_without_regions_are_drafted_without() -> None:
    frames = tomllib.loads(offline.draft(["revenue_weeks", "media_weeks"], "media_mix", find_project(None)))["frames"]
    by_region = tomllib.loads(offline.draft(["geo_revenue_weeks", "geo_media_weeks"], "media_mix", find_project(None)))

    assert "region" not in frames["weeks"]["columns"] and "region" not in frames["spends"]["columns"]
    weeks = {
        "moment": "week_starts_on",
        "revenue": "revenue",
        "region": "region",
        "size": "inhabitants",
        "is_holiday": "IF(is_holiday = 'yes', 1, 0)",
    }
    assert weeks.items() <= by_region["frames"]["weeks"]["columns"].items()
    assert by_region["frames"]["spends"]["columns"]["region"] == "region"


def test_a_first_yes_or_no_task_asks_for_the_answer_by_what_is_known_without_it(tmp_path: Path) -> None:
    contract = tmp_path / "clients.toml"
    contract.write_text(
        'name = "clients"\nformat = { kind = "csv" }\ntime = { order = "event", event = "seen" }\n'
        'key = { columns = ["phone"] }\n[columns]\nphone = { type = "string", personal = true }\n'
        'email = { type = "string", personal = true }\nseen = { type = "date" }\nage = { type = "integer" }\n'
        'has_churned = { type = "string" }\nrefund = { type = "double", known = "after_decision" }\n',
        encoding="utf-8",
    )

    drafted = tomllib.loads(offline.draft([str(contract)], "classify", find_project(None)))

    asked = {"input": "clients", "key": "phone", "label": "has_churned", "yes": "yes", "moment_column": "seen"}
    assert drafted["rows"] == {"sql": "record_rows", "time_ordered": True, "settings": asked}
    taken = {"input": "clients", "key": "phone", "columns": ["age"], "known_after": ["refund"]}
    assert drafted["features"]["record"]["settings"] == taken


def test_where_a_source_names_no_customer_each_row_is_one(tmp_path: Path) -> None:
    """`paid` holds an i and a d, and is no id."""
    contract = tmp_path / "posts.toml"
    contract.write_text(
        'name = "posts"\nformat = { kind = "csv" }\ntime = { order = "position" }\nkey = { columns = "all" }\n'
        '[columns]\npaid = { type = "integer" }\nposted = { type = "timestamp" }\nlikes = { type = "integer" }\n',
        encoding="utf-8",
    )

    text = offline.draft([str(contract)], "dependency", find_project(None))

    assert '# posted_day = "UNIX_DATE(DATE(posted))"' in text
    columns = tomllib.loads(text)["frames"]["customers"]
    assert columns["columns"] == {"customer": "row_id", "paid": "paid", "likes": "likes"}


def test_a_text_that_is_called_nearly_so_is_no_number(tmp_path: Path) -> None:
    """An account is no count."""
    contract = tmp_path / "reactions.toml"
    contract.write_text(
        'name = "reactions"\nformat = { kind = "csv" }\ntime = { order = "event", event = "reacted_at" }\n'
        'key = { columns = ["account_id"] }\n[columns]\naccount_id = { type = "string" }\n'
        'topic = { type = "string" }\nreacted_at = { type = "timestamp" }\n',
        encoding="utf-8",
    )

    columns = tomllib.loads(offline.draft([str(contract)], "trend", find_project(None)))["frames"]["events"]["columns"]

    assert columns == {"item": "topic", "moment": "reacted_at"}


def test_the_page_of_a_first_task_calls_columns_as_the_file_does(tmp_path: Path) -> None:
    contract = """
name = "people"
format = { kind = "csv" }
key = { columns = ["id"] }
time = { order = "position" }
[columns]
id = { type = "integer" }
vozrast = { source = "Возраст | лет", type = "integer" }
city = { source = "город", type = "string", meaning = "where they live", known = "after_decision" }
churn = { source = "Ушёл \\"сам\\"", type = "string" }
"""
    (tmp_path / "people.toml").write_text(contract, encoding="utf-8")
    drafted = tomllib.loads(offline.draft([str(tmp_path / "people.toml")], "classify", find_project(None)))

    assert drafted["title"]["ru"] == 'Да или нет: Ушёл "сам"'
    settings = drafted["features"]["record"]["settings"]
    assert (settings["columns"], settings["known_after"]) == (["vozrast"], ["city"])
    assert settings["meanings"] == {
        "vozrast": "Возраст / лет | Возраст / лет",
        "city": "where they live | where they live",
    }
