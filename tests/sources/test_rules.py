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


COLUMNS: dict[str, dict[str, object]] = {
    "id": {"type": "integer"},
    "phone": {"type": "string", "personal": True},
    "sent": {"type": "string"},
    "sent_on": {"type": "date"},
}
MAY_FAIL = {
    "cast": "cast(phone as bigint) > 0",
    "short": "phone::bigint > 0",
    "parsed": "to_date(PHONE, 'yyyy') IS NULL",
    "compared": "phone > 5",
    "between": "phone BETWEEN 1 AND 5",
    "in_a_branch": "CASE WHEN id > 100 THEN phone BETWEEN 1 AND 5 ELSE true END",
    "nullified": "nullif(phone, 1) IS NULL",
    "replaced": "nvl(phone, 0) = 0",
    # The phone stands here where the fields of a record are shifted.
    "of_another": "cast(sent as bigint) > 0",
    "of_two": "sent > id",
}
CANNOT_FAIL = {
    "tried": "try_cast(phone as bigint) > 0 AND try_to_timestamp(sent) IS NOT NULL",
    "between_texts": "phone BETWEEN '1' AND '5'",
    "without_dashes": "nullif(replace(phone, '-', ''), '') IS NOT NULL AND nvl(sent, '') <> 'never'",
    "shaped": "phone RLIKE '^[0-9]+$' AND (length(trim(phone)) > 5 OR phone IN ('to_date(phone)', ''))",
    "of_no_text": "add_months(sent_on, 12) > make_date(2000 + id, 1, 1)",
}


def rules_over(columns: dict[str, dict[str, object]]) -> dict[str, object]:
    return {
        "columns": columns,
        "rules": [{"name": name, "holds": holds} for name, holds in {**MAY_FAIL, **CANNOT_FAIL}.items()],
    }


def test_no_rule_over_a_text_beside_personal_columns_must_be_able_to_fail(spark, make_contract) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_rules(spark, make_contract(**rules_over(COLUMNS)))

    line = caught.value.line()
    assert [name for name in {**MAY_FAIL, **CANNOT_FAIL} if f"rules.{name}:" in line] == list(MAY_FAIL)


def test_where_nothing_is_personal_a_rule_may_fail(spark, make_contract) -> None:
    check_rules(spark, make_contract(**rules_over({**COLUMNS, "phone": {"type": "string"}})))
