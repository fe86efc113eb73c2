"""Labels are cut by how wide they are, and only as much as needed."""

from __future__ import annotations

from otklik.page.drawing import clipped, width_of


def test_bold_letters_are_wider_and_leave_room_for_fewer() -> None:
    label = "Outcome of the earlier campaign"
    plain, bold = clipped(label, 120), clipped(label, 120, weight="bold")
    assert width_of(plain) <= 120 and width_of(bold, weight="bold") <= 120
    assert len(bold) < len(plain) < len(label)
    assert clipped(label, width_of(label)) == label


def test_a_label_keeps_some_letters_where_there_is_no_room() -> None:
    assert clipped("campaign", 1) == "cam…"
