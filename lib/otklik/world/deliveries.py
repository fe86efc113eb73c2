"""The world as text records, as exported by three systems of a company, with planted defects.

A defect is an additional record, next to the good records of the customers whose number has the defect's remainder. So
the number of each defect follows from the number of customers.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame

from otklik.world.draws import Draws, text
from otklik.world.timeline import (
    DELIVERED_AT,
    MONTHS,
    RESPONSE_WINDOW,
    epoch_microseconds,
    local_text,
    microseconds,
)

#: A defect is next to every customer whose number has the defect's remainder modulo this.
DEFECT_EVERY = 500
#: Rejected records per source: defect → remainder.
CUSTOMER_DEFECTS = {
    "too_few_fields": 11,
    "too_many_fields": 67,
    "not_a_number": 123,
    "no_such_date": 181,
    "unknown_level": 239,
    "missing_required": 307,
}
CONTACT_DEFECTS = {
    "too_few_fields": 13,
    "too_many_fields": 71,
    "not_a_number": 127,
    "no_such_date": 191,
    "unknown_level": 241,
    "missing_required": 311,
    "answer_before_contact": 383,
}
ENGAGEMENT_DEFECTS = {
    "broken_record": 17,
    "not_a_time": 131,
    "no_such_date": 193,
    "unknown_level": 251,
    "missing_required": 313,
}
#: Exact copies of a good record, right after it. For contacts: only if the customer has one.
CUSTOMER_COPY, CONTACT_COPY, ENGAGEMENT_COPY = 401, 409, 419

#: One customer in this many has moved: the last customers file is a later delivery with the new versions.
CHANGED_EVERY, CHANGED_REMAINDER = 250, 3
#: For one in this many of these the old version is delivered again after the new one; it must be ignored.
LATE_COPY_EVERY = 4

_IS_CHANGED = f"number % {CHANGED_EVERY} = {CHANGED_REMAINDER}"

_CUSTOMER_HEADER = (
    "Код клиента", "ФИО", "Эл. почта", "Моб. телефон", "Дата рожд.", "Пол", "Город", "Образование",
    "Семейное положение", "Детей", "Доход, тг", "Кредит", "Ипотека", "Зарегистрирован", "Изменено",
)  # fmt: skip
_CONTACT_HEADER = (
    "contact_id", "customer_id", "campaign", "contacted_at", "channel", "call_number", "talk_seconds", "responded",
    "responded_at",
)  # fmt: skip


def defects_of(remainder: int, customers: int) -> int:
    """Number of customers whose number has the remainder modulo DEFECT_EVERY."""
    return _numbers_with(remainder, DEFECT_EVERY, customers)


def changes_of(customers: int) -> int:
    """Number of customers with a second, newer version."""
    return _numbers_with(CHANGED_REMAINDER, CHANGED_EVERY, customers)


def late_copies_of(customers: int) -> int:
    """Number of old versions that are delivered again after the new one."""
    return _numbers_with(0, LATE_COPY_EVERY, changes_of(customers))


def customer_records(customers: DataFrame, draws: Draws, part: int) -> DataFrame:
    """Both deliveries of customers: all of them, and later new versions of those who changed.

    Args:
        customers: rows of `people.with_person` with `is_change` (whether the row belongs to the second delivery), in
            order of number within each delivery.
        draws: the draws of this world.
        part: customers per file of the first delivery; each file starts with the header.

    Returns:
        One column, `value`: semicolon-separated, decimal comma, local times.
    """
    current = _customer_fields()
    own = {**current, "Код клиента": "concat('D', lpad(number + 1, 7, '0'))"}
    broken = {
        "too_few_fields": _joined(dict(list(own.items())[:9]), ";"),
        "too_many_fields": _joined({**own, "too": "'да'", "many": "''"}, ";"),
        "not_a_number": _joined({**own, "Доход, тг": "'не указан'"}, ";"),
        "no_such_date": _joined({**own, "Дата рожд.": "'31.02.1985'"}, ";"),
        "unknown_level": _joined({**own, "Пол": "'?'"}, ";"),
        "missing_required": _joined({**own, "Дата рожд.": "''"}, ";"),
    }
    records = customers.selectExpr(
        "number",
        "is_change",
        f"{_joined(current, ';')} AS current",
        f"if({_IS_CHANGED}, {_joined(_old_version(draws), ';')}, NULL) AS old",
        f"if(is_change, NULL, {_broken(CUSTOMER_DEFECTS, broken)}) AS broken",
    )
    return records.selectExpr(
        _lines(
            f"if(number % {part} = 0 AND NOT is_change OR number = {CHANGED_REMAINDER} AND is_change, "
            f"{text(';'.join(_CUSTOMER_HEADER))}, NULL)",
            "if(is_change, current, coalesce(old, current))",
            f"if(number % {DEFECT_EVERY} = {CUSTOMER_COPY} AND NOT is_change, current, NULL)",
            f"if(number % {CHANGED_EVERY * LATE_COPY_EVERY} = {CHANGED_REMAINDER} AND is_change, old, NULL)",
            "broken",
        )
    )


def contact_records(contacts: DataFrame, part: int) -> DataFrame:
    """The contacts of all campaigns, as in the call centre's system at the time of delivery.

    Args:
        contacts: rows of `campaigns.contacts`, in the customers' order.
        part: customers per file; each file starts with the header.

    Returns:
        One column, `value`: comma-separated, quoted if necessary, local times. The answer of a contact whose window was
        still open is empty.
    """
    fields = _contact_fields()
    record = f"if(contact_id IS NULL, NULL, {_joined(fields, ',')})"
    good = {
        **fields,
        "contact_id": "concat('D', lpad(number, 9, '0'))",
        "campaign": "'Звонок'",
        "contacted_at": "'2025-03-03 10:00:00'",
        "channel": "'phone'",
        "call_number": "'1'",
        "talk_seconds": "'95'",
        "responded": "'no'",
        "responded_at": "''",
    }
    broken = {
        "too_few_fields": _joined(dict(list(good.items())[:5]), ","),
        "too_many_fields": _joined({**good, "too": "'no'"}, ","),
        "not_a_number": _joined({**good, "talk_seconds": "'полторы минуты'"}, ","),
        "no_such_date": _joined({**good, "contacted_at": "'2025-02-30 10:00:00'"}, ","),
        "unknown_level": _joined({**good, "channel": "'fax'"}, ","),
        "missing_required": _joined({**good, "customer_id": "''"}, ","),
        "answer_before_contact": _joined(
            {**good, "responded": "'yes'", "responded_at": "'2025-03-02 10:00:00'"}, ","
        ),
    }  # fmt: skip
    # A customer's first row has the records that exist once per customer.
    records = contacts.selectExpr(
        "number",
        "coalesce(nth, 0) = 0 AS is_first",
        f"{record} AS record",
        f"if(coalesce(nth, 0) = 0, {_broken(CONTACT_DEFECTS, broken)}, NULL) AS broken",
    )
    return records.selectExpr(
        _lines(
            f"if(is_first AND number % {part} = 0, {text(','.join(_CONTACT_HEADER))}, NULL)",
            "record",
            f"if(is_first AND number % {DEFECT_EVERY} = {CONTACT_COPY}, record, NULL)",
            "broken",
        )
    )


def engagement_records(events: DataFrame) -> DataFrame:
    """The stream of engagement events.

    Args:
        events: rows of `engagement.events`, in the customers' order.

    Returns:
        One column, `value`: one JSON object per line, UTC times with microseconds; keys without a value are left out.
    """
    fields = {
        "event_id": "event_id",
        "customer_id": "customer_id",
        "happened_at": "date_format(timestamp_micros(us), 'yyyy-MM-dd\\'T\\'HH:mm:ss.SSSSSSXXX')",
        "kind": "kind",
        "network": "network",
        "topic": "topic",
        "text": "text",
    }
    own = {**fields, "event_id": "concat('D', substr(event_id, 2))"}
    broken = {
        "broken_record": f"left({_object(own)}, 60)",
        "not_a_time": _object({**own, "happened_at": "'вчера'"}),
        "no_such_date": _object({**own, "happened_at": "'2025-02-30T10:00:00.000000Z'"}),
        "unknown_level": _object({**own, "kind": "'poke'"}),
        "missing_required": _object({**own, "customer_id": "CAST(NULL AS STRING)"}),
    }
    records = events.selectExpr(
        "number",
        "nth = 0 AS is_first",
        f"{_object(fields)} AS record",
        f"if(nth = 0, {_broken(ENGAGEMENT_DEFECTS, broken)}, NULL) AS broken",
    )
    copy = f"if(is_first AND number % {DEFECT_EVERY} = {ENGAGEMENT_COPY}, record, NULL)"
    return records.selectExpr(_lines("record", copy, "broken"))


def _customer_fields() -> dict[str, str]:
    """Header name → SQL of the field's text, current version."""
    moved_at = epoch_microseconds(DELIVERED_AT) - 30 * 86_400_000_000
    newest = f"if({_IS_CHANGED}, {moved_at}L + number * 1000000L, registered_us)"
    values = (
        "customer_id",
        "name",
        "email",
        "phone",
        # Some of the records come from an older system with another date format.
        "if(number % 10 = 7, date_format(birth_date, 'yyyy-MM-dd'), date_format(birth_date, 'dd.MM.yyyy'))",
        "sex",
        "city",
        "education",
        "marital_status",
        "children",
        "coalesce(translate(format_number(income, 2), ',.', ' ,'), '')",
        "has_loan",
        "has_housing_loan",
        local_text("registered_us", "dd.MM.yyyy HH:mm"),
        local_text(newest, "dd.MM.yyyy HH:mm:ss"),
    )
    return dict(zip(_CUSTOMER_HEADER, values, strict=True))


def _old_version(draws: Draws) -> dict[str, str]:
    """The fields of a customer before they moved."""
    return {
        **_customer_fields(),
        "Город": draws.one_of(["Кокшетау", "Семей", "Талдыкорган"], "old city"),
        "Доход, тг": "coalesce(translate(format_number(income * 0.8D, 2), ',.', ' ,'), '')",
        "Изменено": local_text("registered_us", "dd.MM.yyyy HH:mm:ss"),
    }


def _contact_fields() -> dict[str, str]:
    delivered = epoch_microseconds(DELIVERED_AT)
    months = "array(" + ", ".join(map(text, MONTHS)) + ")"
    has_answer = f"coalesce(responded_us <= {delivered}L, false)"
    return {
        "contact_id": "contact_id",
        "customer_id": "customer_id",
        "campaign": f'concat(\'"Вклад ""Щедрый"", \', element_at({months}, month(timestamp_micros(us))), \' 2025"\')',
        "contacted_at": local_text("us", "yyyy-MM-dd HH:mm:ss"),
        "channel": "channel",
        "call_number": "CAST(call_number AS STRING)",
        "talk_seconds": "CAST(talk_seconds AS STRING)",
        "responded": f"CASE WHEN {has_answer} THEN 'yes' "
        f"WHEN us + {microseconds(RESPONSE_WINDOW)}L > {delivered}L THEN '' ELSE 'no' END",
        "responded_at": f"if({has_answer}, {local_text('responded_us', 'yyyy-MM-dd HH:mm:ss')}, '')",
    }


def _joined(fields: Mapping[str, str], delimiter: str) -> str:
    """SQL of one delimited record. No field may be null: concat_ws would leave it out."""
    return f"concat_ws({text(delimiter)}, {', '.join(fields.values())})"


def _object(fields: Mapping[str, str]) -> str:
    """SQL of one JSON object; nulls are left out."""
    return "to_json(named_struct(" + ", ".join(f"{text(name)}, {value}" for name, value in fields.items()) + "))"


def _broken(remainders: Mapping[str, int], records: Mapping[str, str]) -> str:
    """SQL of the broken record next to this customer, or null."""
    cases = " ".join(f"WHEN {remainder} THEN {records[kind]}" for kind, remainder in remainders.items())
    return f"CASE number % {DEFECT_EVERY} {cases} END"


def _lines(*candidates: str) -> str:
    """SQL that returns one row per candidate that is not null, in this order."""
    return f"explode(array_compact(array({', '.join(candidates)}))) AS value"


def _numbers_with(remainder: int, every: int, limit: int) -> int:
    return max(0, -(-(limit - remainder) // every))
