"""Paths to fields inside the objects of JSON lines."""

from __future__ import annotations


def test_paths_lead_into_the_objects_of_json_lines(judge, make_contract) -> None:
    columns = {
        "id": {"type": "integer"},
        "name": {"source": "user.screen_name", "type": "string"},
        "price": {"source": "order.sum", "type": "decimal(10,2)"},
        "dotted": {"source": "a.b", "type": "string"},
    }
    lines = '{"id": 1, "user": {"screen_name": "anna"}, "order": {"sum": 12.50}, "a.b": "x"}\n{"id": 2, "a.b": "y"}\n'

    rows = judge(lines, make_contract(columns, {"kind": "json_lines"})).orderBy("_record_no").collect()

    assert [(row.id, row.name, f"{row.price}", row.dotted) for row in rows] == [
        (1, "anna", "12.50", "x"),
        (2, None, "None", "y"),
    ]
