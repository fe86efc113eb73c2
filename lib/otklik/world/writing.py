"""Write a world: three folders of deliveries, the truth, and the counts that an exact ingest must find."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession

from otklik.errors import RefusedError
from otklik.session import analysed, cached, frame_of, threads
from otklik.world import campaigns, deliveries, engagement, people
from otklik.world.draws import Draws
from otklik.world.options import BANK, BANK_EFFECTS, check_size
from otklik.world.planted import effect_sizes, effects_path

#: Customers per part file, independent of cores. A file of engagements has some 250,000 events.
CUSTOMERS_PER_FILE = 50_000
CUSTOMERS_PER_ENGAGEMENT_FILE = 10_000

#: Changes whenever the same seed gives other content.
VERSION = 1

_FACTS = "defects.json"
_EFFECTS = effects_path(BANK)
_FOLDERS = ("customers", "contacts", "engagements", "truth.parquet", _EFFECTS, _FACTS)
_FACTS_SCHEMA = (
    "version INT, customers BIGINT, seed BIGINT, source STRING, rows BIGINT, accepted BIGINT, inserted BIGINT, "
    "updated BIGINT, rejected BIGINT, duplicates BIGINT, defects MAP<STRING, BIGINT>, without ARRAY<STRING>"
)


@dataclass(frozen=True)
class SourceFacts:
    """The counts that an exact ingest finds in one source, over all its files in order of their names.

    rows = accepted + rejected + duplicates; accepted = inserted + updated. `defects` counts the rejected records by
    defect.
    """

    rows: int
    inserted: int
    updated: int
    duplicates: int
    defects: Mapping[str, int] = field(default_factory=dict)

    @property
    def accepted(self) -> int:
        """Rows that are new to silver or replace an older version."""
        return self.inserted + self.updated

    @property
    def rejected(self) -> int:
        """Records that violate the contract."""
        return sum(self.defects.values())


@dataclass(frozen=True)
class WorldFacts:
    """A written world: its size, its seed, its disabled effects and, by source, the counts that ingest must find."""

    customers: int
    seed: int
    sources: Mapping[str, SourceFacts]
    without: tuple[str, ...] = ()


def write_world(spark: SparkSession, customers: int, seed: int, out: str, without: Collection[str] = ()) -> WorldFacts:
    """Write OUT/customers/, OUT/contacts/, OUT/engagements/, OUT/truth.parquet, OUT/truth/effects/bank.parquet and
    OUT/defects.json.

    Equal arguments give equal content on any number of cores and partitions. An existing world of the same size, seed
    and effects is left as it is.

    Args:
        spark: the session; its time zone must be UTC.
        customers: 1,000 to 1,000,000.
        seed: the world's seed.
        out: a folder, or a URI of a Hadoop scheme.
        without: effects to switch off; those of other parts are ignored.

    Raises:
        ConfigurationError: if there are too few or too many customers, or the seed has more than 64 bits.
        RefusedError: if OUT contains something else.
    """
    check_size(customers, seed)
    off = tuple(effect for effect in BANK_EFFECTS if effect in without)
    existing = read_facts(spark, out)
    if existing is not None:
        if (existing.customers, existing.seed, existing.without) == (customers, seed, off):
            return existing
        raise occupied(out)
    if any(is_there(spark, f"{out}/{name}") for name in _FOLDERS):
        raise occupied(out)
    draws = Draws(seed)
    in_files = _people(spark, customers, CUSTOMERS_PER_FILE, draws)
    in_small_files = _people(spark, customers, CUSTOMERS_PER_ENGAGEMENT_FILE, draws)
    facts = WorldFacts(customers, seed, _expected(in_files, draws), off)
    # Cached, because the truth is about the same contacts; what does not fit into memory goes to disk.
    with cached(
        campaigns.contacts(campaigns.with_contacts(engagement.with_events(in_files, draws), draws, off))
    ) as contacts:
        writes = {
            "engagements": deliveries.engagement_records(
                engagement.events(engagement.with_events(in_small_files, draws), draws)
            ),
            "contacts": deliveries.contact_records(contacts, CUSTOMERS_PER_FILE),
            "truth.parquet": campaigns.truth(contacts),
            _EFFECTS: effect_sizes(spark, BANK, off),
            "customers": deliveries.customer_records(
                _people_twice(spark, customers, CUSTOMERS_PER_FILE, draws), draws, CUSTOMERS_PER_FILE
            ),
        }
        # In parallel: a small world has fewer files per folder than there are cores.
        with threads(spark, len(writes)) as pool:
            list(pool.map(lambda name: _write(writes[name], f"{out}/{name}"), writes))
    # Written last: a world without it was not finished.
    _facts_rows(spark, facts).write.json(f"{out}/{_FACTS}")
    return facts


def read_facts(spark: SparkSession, out: str) -> WorldFacts | None:
    """The facts of the world at OUT; None if there is no complete one of this version."""
    try:
        rows = spark.read.schema(_FACTS_SCHEMA).json(f"{out}/{_FACTS}/*.json").collect()
    except AnalysisException:
        return None
    current = [row for row in rows if row["version"] == VERSION]
    if not current:
        return None
    sources = {
        row["source"]: SourceFacts(row["rows"], row["inserted"], row["updated"], row["duplicates"], row["defects"])
        for row in current
    }
    return WorldFacts(current[0]["customers"], current[0]["seed"], sources, tuple(current[0]["without"] or ()))


def _people(spark: SparkSession, customers: int, per_file: int, draws: Draws) -> DataFrame:
    """The people, one partition per file: the range is padded so that its partitions are equally long."""
    files = -(-customers // per_file)
    return people.with_person(people.numbers(spark.range(0, files * per_file, 1, files), customers), draws)


def _people_twice(spark: SparkSession, customers: int, per_file: int, draws: Draws) -> DataFrame:
    """As `_people`, with an additional last partition of those who changed, marked by `is_change`."""
    files = -(-customers // per_file)
    end = files * per_file
    every, remainder = deliveries.CHANGED_EVERY, deliveries.CHANGED_REMAINDER
    twice = spark.range(0, end + per_file, 1, files + 1).selectExpr(
        f"if(id < {end}L, id, (id - {end}L) * {every}L + {remainder}L) AS id", f"id >= {end}L AS is_change"
    )
    return people.with_person(people.numbers(twice, customers), draws)


def _write(rows: DataFrame, path: str) -> None:
    """Text for a delivery (one column, `value`), Parquet for the truth; fails if the path exists."""
    rows.write.format("text" if rows.columns == ["value"] else "parquet").mode("error").save(path)


def _expected(customers: DataFrame, draws: Draws) -> dict[str, SourceFacts]:
    """Count planted defects: by arithmetic if they depend on the number of customers only, otherwise from the draws."""
    copied = f"number % {deliveries.DEFECT_EVERY} = {deliveries.CONTACT_COPY}"
    totals = (
        campaigns.with_chosen(customers, draws)
        .selectExpr(
            "count(*) AS customers",
            "sum(event_count) AS events",
            "CAST(sum(size(chosen)) AS BIGINT) AS contacts",
            f"count_if({copied} AND size(chosen) > 0) AS contact_copies",
        )
        .first()
    )
    if totals is None:
        raise AssertionError("an aggregate without groups has one row")
    size = int(totals["customers"])
    copies = deliveries.defects_of(deliveries.CUSTOMER_COPY, size) + deliveries.late_copies_of(size)
    engagement_copies = deliveries.defects_of(deliveries.ENGAGEMENT_COPY, size)
    return {
        "customers": _facts(
            deliveries.CUSTOMER_DEFECTS, size, inserted=size, updated=deliveries.changes_of(size), duplicates=copies
        ),
        "contacts": _facts(
            deliveries.CONTACT_DEFECTS, size, inserted=totals["contacts"], duplicates=totals["contact_copies"]
        ),
        "engagements": _facts(
            deliveries.ENGAGEMENT_DEFECTS, size, inserted=totals["events"], duplicates=engagement_copies
        ),
    }


def _facts(
    remainders: Mapping[str, int], customers: int, *, inserted: int, duplicates: int, updated: int = 0
) -> SourceFacts:
    defects = {kind: deliveries.defects_of(remainder, customers) for kind, remainder in remainders.items()}
    rows = inserted + updated + duplicates + sum(defects.values())
    return SourceFacts(rows, inserted, updated, duplicates, defects)


def _facts_rows(spark: SparkSession, facts: WorldFacts) -> DataFrame:
    rows = [
        (VERSION, facts.customers, facts.seed, name, source.rows, source.accepted, source.inserted, source.updated,
         source.rejected, source.duplicates, dict(source.defects), [*facts.without])
        for name, source in facts.sources.items()
    ]  # fmt: skip
    return frame_of(spark, rows, _FACTS_SCHEMA).coalesce(1)


def is_there(spark: SparkSession, path: str) -> bool:
    """Whether there is a file or folder at the path, in any Hadoop scheme."""
    try:
        analysed(spark.read.text(path))
    except AnalysisException as fault:
        if fault.getCondition() != "PATH_NOT_FOUND":
            raise
        return False
    return True


def occupied(out: str) -> RefusedError:
    """Error if the folder contains something else."""
    return RefusedError(
        "the folder is not empty: another world, an unfinished one, or other files",
        where=out,
        hint="choose an empty folder, or remove this one",
    )
