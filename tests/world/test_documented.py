"""docs/world.md names every part, source and effect of the world, and no others."""

from __future__ import annotations

import re

from tests.conftest import PROJECT
from tests.sources.test_shipped_contracts import WORLD

from otklik.world.options import BANK, EFFECTS, PARTS

TEXT = (PROJECT / "docs" / "world.md").read_text(encoding="utf-8")
TWO_COLUMNS = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|$", TEXT, re.MULTILINE))
FOUR_COLUMNS = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \| [^|]+ \|$", TEXT, re.MULTILINE)


def test_parts_and_their_sources() -> None:
    assert list(TWO_COLUMNS) == [BANK, *PARTS]
    assert {source for sources in TWO_COLUMNS.values() for source in re.findall(r"`(\w+)`", sources)} == WORLD


def test_every_effect_has_its_size_its_truth_and_its_kind() -> None:
    assert sorted(FOUR_COLUMNS) == sorted(EFFECTS)
