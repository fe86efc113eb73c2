from __future__ import annotations

import pytest

from otklik.errors import ConfigurationError
from otklik.sources.rules import check_rules


def test_rules_that_are_no_predicates_are_refused_before_any_file(spark, make_contract) -> None:
    holds = {
        "broken": "id >",
        "unknown": "idd > 1",
        "number": "id + 1",
        "counting": "count(id) > 1",
        "ranking": "row_number() OVER (ORDER BY id) > 1",
        "running": "reflect('java.lang.Runtime', 'getRuntime') IS NOT NULL",
        "drawing": "rand() < 0.5",
        "inner": "id IN (SELECT 1)",
        "good": "id > 1 AND note <> 'SELECT rand()'",
    }
    contract = make_contract(rules=[{"name": name, "holds": text} for name, text in holds.items()])

    with pytest.raises(ConfigurationError) as caught:
        check_rules(spark, contract)

    line = caught.value.line()
    assert all(f"rules.{name}:" in line for name in holds if name != "good")
    assert "rules.good" not in line


def test_a_rule_over_a_personal_column_must_not_be_able_to_fail(spark, make_contract) -> None:
    columns = {
        "id": {"type": "integer"},
        "phone": {"type": "string", "personal": True},
        "sent": {"type": "string"},
    }
    may_fail = {
        "cast": "cast(phone as bigint) > 0",
        "short": "phone::bigint > 0",
        "parsed": "to_date(PHONE, 'yyyy') IS NULL",
        "compared": "phone > 5",
    }
    cannot_fail = {
        "tried": "try_cast(phone as bigint) > 0",
        "shaped": "phone RLIKE '^[0-9]+$' AND (length(trim(phone)) > 5 OR phone IN ('to_date(phone)', ''))",
        "of_another": "cast(sent as bigint) > 0",
    }
    contract = make_contract(
        columns, rules=[{"name": name, "holds": text} for name, text in {**may_fail, **cannot_fail}.items()]
    )

    with pytest.raises(ConfigurationError) as caught:
        check_rules(spark, contract)

    line = caught.value.line()
    assert [name for name in {**may_fail, **cannot_fail} if f"rules.{name}:" in line] == list(may_fail)
