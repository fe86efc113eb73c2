"""What is drawn for one part of the world tells nothing of another."""

from __future__ import annotations

from collections import defaultdict

from pyspark.sql import SparkSession

from otklik.world import options, trade
from otklik.world.draws import Draws

#: Parts about the same purchases: their draws are the same.
SAME = {"shop", "mailings"}
#: One of six endings of a mention and one of seven of a message: remainders by 6 and 7 tell nothing of one another.
APART = {("ending", "i"): {"social", "support"}}


def test_parts_of_the_world_share_no_draw(spark: SparkSession) -> None:
    """The answer to one question could be read off another's records where both asked the same stream."""
    drawn: dict[tuple[str, ...], set[str]] = defaultdict(set)

    class Recorded(Draws):
        def bits(self, salt: str, *also: str) -> str:
            drawn[salt, *also].add(part)
            return super().bits(salt, *also)

    for part in options.PARTS:
        trade._FILES[part](spark, 1_000, Recorded(7), [])
    shared = {stream: parts for stream, parts in drawn.items() if len(parts) > 1 and parts != SAME}

    assert len(drawn) > 150 and shared == APART
