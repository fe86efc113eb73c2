"""Many files read at once, each as `reader` reads one: the same records, numbers and refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from types import MappingProxyType

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from otklik.errors import InputError
from otklik.sources.contract import Contract, Format
from otklik.sources.header import Header
from otklik.sources.nested import leading_keys
from otklik.sources.parquet_facts import facts_of
from otklik.sources.paths import name_of
from otklik.sources.reader import (
    MOST_JSON_KEYS,
    Records,
    assembled,
    check_json_lines,
    clear_faults,
    encoding_of,
    header_of,
    header_of_keys,
    json_keys,
    lines_of,
    lines_wanted,
    not_blank,
    parquet_rows,
    read_records,
)
from otklik.sources.record_numbers import PositionedFiles, first_lines, positioned_files


@dataclass(frozen=True)
class Readings:
    """What became of some files, by their numbers.

    Attributes:
        records: the records of the files that can be read; those with the same header stand together.
        headers: the header of each of these files.
        refused: why each of the others is not read.
    """

    records: Sequence[Records]
    headers: Mapping[int, Header]
    refused: Mapping[int, InputError]

    def __add__(self, others: Readings) -> Readings:
        """These files and others."""
        return Readings(
            [*self.records, *others.records], {**self.headers, **others.headers}, {**self.refused, **others.refused}
        )


NO_FILES = Readings([], {}, {})


def read_files(spark: SparkSession, files: Mapping[int, str], contract: Contract) -> Readings:
    """Read files as records; the frames have file_no.

    Args:
        spark: the session.
        files: number → path or URI as `files.expand` gives it; taken literally.
        contract: how they are to be read.

    Raises:
        InputError: if one of them cannot be read, and Spark does not say which.
    """
    names = [name_of(path) for path in files.values()]
    if len(files) == 1 or not _can_be_read_together(contract.format):
        return _one_by_one(spark, files, contract)
    with clear_faults(f"{names[0]} … {names[-1]}"):
        if contract.format.kind == "parquet":
            return _read_parquet(spark, files, contract)
        read = _read_json_lines if contract.format.kind == "json_lines" else _read_delimited
        by_encoding: dict[str, dict[int, str]] = {}
        refused = {}
        for number, path in files.items():
            try:
                encoding = encoding_of(spark, path, contract.format, name_of(path))
                by_encoding.setdefault(encoding, {})[number] = path
            except InputError as fault:
                refused[number] = fault
        readings = (read(spark, of_it, contract, encoding) for encoding, of_it in by_encoding.items())
        return sum(readings, Readings([], {}, refused))


def _can_be_read_together(format_: Format) -> bool:
    return format_.is_delimited or format_.kind == "parquet" or (format_.kind == "json_lines" and format_.rows is None)


def _one_by_one(spark: SparkSession, files: Mapping[int, str], contract: Contract) -> Readings:
    readings = NO_FILES
    for number, path in files.items():
        try:
            records = read_records(spark, path, contract)
        except InputError as fault:
            readings += Readings([], {}, {number: fault})
        else:
            numbered = Records(records.header, records.frame.withColumn("file_no", F.lit(number)))
            readings += Readings([numbered], {number: records.header}, {})
    return readings


def _read_delimited(spark: SparkSession, files: Mapping[int, str], contract: Contract, encoding: str) -> Readings:
    if len(files) == 1:
        return _one_by_one(spark, files, contract)
    format_ = contract.format

    def records_of(some: Mapping[int, str], wanted: int) -> PositionedFiles:
        lines = lines_of(spark, [*some.values()], encoding, format_)
        return (
            _assembled(lines, some, format_, wanted) if format_.multiline else _positioned(lines, some, format_, wanted)
        )

    records = records_of(files, lines_wanted(format_))
    headers, firsts, refused = {}, {}, {}
    for number, path in files.items():
        top, count = records.top.get(number, []), records.counts.get(number, 0)
        try:
            headers[number], firsts[number] = header_of(top, count, contract, name_of(path))
        except InputError as fault:
            refused[number] = fault
    of_header: dict[Header, dict[int, str]] = {}
    for number, header in headers.items():
        of_header.setdefault(header, {})[number] = files[number]
    found = NO_FILES
    for header, those in of_header.items():
        if len(those) == 1 and len(files) > 1:
            found += _one_by_one(spark, those, contract)
            continue
        # Lines are numbered by the place that Spark has given their file among those of one scan.
        mine = records if len(of_header) == 1 else records_of(those, 0)
        frame = _numbered_from(mine, {number: firsts[number] for number in those}, format_.footer)
        found += Readings([Records(header, frame)], dict.fromkeys(those, header), {})
    return found + Readings([], {}, refused)


def _positioned(lines: DataFrame, files: Mapping[int, str], format_: Format, wanted: int) -> PositionedFiles:
    return positioned_files(not_blank(lines, format_), files, wanted)


def _assembled(lines: DataFrame, files: Mapping[int, str], format_: Format, wanted: int) -> PositionedFiles:
    """Whole records are counted as far as anybody asks, unless lines at the end are to go."""
    records = assembled(positioned_files(lines, files, 0).lines, format_)
    top = first_lines(records, wanted + 1)
    counts = {number: len(rows) for number, rows in top.items()}
    if format_.footer:
        counts = {row["_file_no"]: row["count"] for row in records.groupBy("_file_no").count().collect()}
    return PositionedFiles(records, counts, top)


def _numbered_from(records: PositionedFiles, firsts: Mapping[int, int], footer: int = 0) -> DataFrame:
    """record, record_no, has_invalid_bytes, file_no of the files in `firsts`: the number of the line at position 0.

    Records from 1 on count, without so many lines at the end as `footer` says.
    """
    record_no = F.col("_position") + _of_file(firsts)
    rows = records.lines.select(
        "record", record_no.alias("record_no"), "has_invalid_bytes", F.col("_file_no").alias("file_no"), "_position"
    )
    if len(firsts) < len(records.counts):
        rows = _only(rows, [*firsts])
    if footer:
        ends = {number: records.counts[number] - footer for number in firsts}
        rows = rows.where(F.col("_position") < _of_file(ends, "file_no"))
    return rows.where("record_no > 0").drop("_position")


def _of_file(values: Mapping[int, int], number: str = "_file_no") -> Column:
    """What belongs to the file of a row."""
    if len({*values.values()}) == 1:
        return F.lit(next(iter(values.values())))
    return F.get(F.lit([values.get(place, 0) for place in range(max(values) + 1)]), F.col(number))


def _read_json_lines(spark: SparkSession, files: Mapping[int, str], contract: Contract, encoding: str) -> Readings:
    if len(files) == 1:
        return _one_by_one(spark, files, contract)
    records = _positioned(lines_of(spark, [*files.values()], encoding, contract.format), files, contract.format, 1)
    names, first, refused = {}, {}, {}
    for number, path in files.items():
        top = records.top.get(number, [])
        try:
            check_json_lines(top, name_of(path))
            names[number], first[number] = name_of(path), leading_keys(top[0].record)
        except InputError as fault:
            refused[number] = fault
    none = Readings([], {}, refused)
    return (
        none + objects_of(_numbered_from(records, dict.fromkeys(names, 1)), names, contract, first) if names else none
    )


def objects_of(
    frame: DataFrame,
    names: Mapping[int, str],
    contract: Contract,
    first: Mapping[int, Sequence[str]] = MappingProxyType({}),
) -> Readings:
    """Which of the keys of their objects is which column, of files whose records are JSON objects.

    Args:
        frame: their records, as `Records.frame`.
        names: number of the file → its name.
        contract: what the records should be.
        first: number of the file → the `leading_keys` of its first record.
    """
    keys = {number: [*first.get(number, ())] for number in names}
    in_all = next(iter(keys.values()))
    same = in_all if all(some == in_all for some in keys.values()) else []
    found = json_keys(frame, same, "file_no").limit(MOST_JSON_KEYS).collect()
    if len(found) == MOST_JSON_KEYS and len(names) > 1:
        alone = (objects_of(_only(frame, [number]), {number: name}, contract, first) for number, name in names.items())
        return sum(alone, NO_FILES)
    for row in sorted(found, key=itemgetter("key")):
        keys[row.file_no].append(row.key)
    headers, refused = {}, {}
    for number, name in names.items():
        try:
            headers[number] = header_of_keys([*dict.fromkeys(keys[number])], contract, name)
        except InputError as fault:
            refused[number] = fault
    if not headers:
        return Readings([], {}, refused)
    # Fields are found by their names: what one file lacks does not disturb the others.
    header = header_of_keys([*dict.fromkeys(key for number in headers for key in keys[number])], contract, "")
    return Readings([Records(header, _only(frame, [*headers]) if refused else frame)], headers, refused)


def _only(frame: DataFrame, files: Sequence[int]) -> DataFrame:
    return frame.where(F.col("file_no").isin([*files]))


def _read_parquet(spark: SparkSession, files: Mapping[int, str], contract: Contract) -> Readings:
    by_columns: dict[str, dict[int, str]] = {}
    facts = {number: facts_of(path) for number, path in files.items()}
    for number, path in files.items():
        by_columns.setdefault(facts[number].columns or path, {})[number] = path
    found = NO_FILES
    for those in by_columns.values():
        if len(those) == 1:
            found += _one_by_one(spark, those, contract)
            continue
        names = [name_of(path) for path in those.values()]
        try:
            header, rows = parquet_rows(spark, [*those.values()], facts[next(iter(those))], contract, names[0])
        except InputError:
            found += _one_by_one(spark, those, contract)
            continue
        records = positioned_files(rows, those, 0)
        empty = {
            number: InputError("contains no records", where=name_of(path), hint="fetch the file again")
            for number, path in those.items()
            if number not in records.counts
        }
        full = [number for number in those if number not in empty]
        frame = [Records(header, _numbered_from(records, dict.fromkeys(full, 1)))] if full else []
        found += Readings(frame, dict.fromkeys(full, header), empty)
    return found
