"""Which column of a file is which column of the contract: by name, never by position. No Spark here."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from otklik.errors import InputError
from otklik.sources.contract import INVISIBLE, Contract, Format, fold_name
from otklik.sources.layout import delimited_text

_LISTED = 8


@dataclass(frozen=True)
class Header:
    """The columns of one file.

    Attributes:
        names: the names as they stand in the file, in its order.
        columns: our name for each of them; None where the contract ignores the column. In JSON several names may be one
            column's.
    """

    names: tuple[str, ...]
    columns: tuple[str | None, ...]


def split_header(text: str, format_: Format) -> list[str]:
    """The names in the header line of a file whose lines are fields."""
    text = delimited_text(format_, text).translate(dict.fromkeys(map(ord, INVISIBLE)))
    # Python's reader limits a field; a header is a line that was read already.
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    rows = csv.reader(
        [text],
        delimiter=format_.field_delimiter,
        quotechar=format_.quote or None,
        quoting=csv.QUOTE_MINIMAL if format_.quote else csv.QUOTE_NONE,
        escapechar=format_.escape or None,
        skipinitialspace=True,
    )
    return [name for row in rows for name in row]


def given_header(contract: Contract) -> Header:
    """The header of a file that has none: the contract's columns in their order."""
    return Header(
        names=tuple(map(contract.name_in_file, contract.columns)),
        columns=tuple(contract.columns),
    )


def joined_header(lines: Sequence[Sequence[str]]) -> list[str]:
    """The names of a header over several lines: each column's, put together with a blank.

    A name of the upper lines holds for the columns behind it that have none there, as spreadsheets merge cells.
    """
    width = max(map(len, lines))
    filled = []
    for place, line in enumerate(lines):
        names = [*line, *[""] * (width - len(line))]
        if place < len(lines) - 1:
            for column in range(1, width):
                names[column] = names[column] if names[column].strip() else names[column - 1]
        filled.append(names)
    return [" ".join(name.strip() for name in names if name.strip()) for names in zip(*filled, strict=True)]


def match_header(
    names: Sequence[str],
    contract: Contract,
    where: str,
    *,
    hint: Callable[[], str] = str,
    is_record_wise: bool = False,
) -> Header:
    """Find the contract's columns among the names in a file, whatever their order and case.

    A name that stands in the file several times is told apart by its number: `Sum [2]` is the second one called Sum.
    Columns without a name are passed over, where the contract does not name one `""`.

    Args:
        names: in the file's order.
        contract: the columns that are looked for.
        where: the file, for messages.
        hint: finds out what to do about a header that does not fit; an empty text where nothing is known.
        is_record_wise: whether each record has names of its own, as JSON does: then some records may have one name of a
            column, and some another.

    Raises:
        InputError: naming every missing, unknown and doubled column at once; of unknown ones only how many there are,
            where the contract has personal columns: the line may be a record.
    """
    ours = {
        fold_name(in_file): name
        for name, column in contract.columns.items()
        for in_file in (contract.name_in_file(name), *column.aliases)
    }
    found = _found(list(map(fold_name, names)), ours)
    times = Counter(found)
    doubled = sorted(name for name in times if name is not None and times[name] > 1)
    missing = [name for name, column in contract.columns.items() if name not in found and column.missing == "fail"]
    new = [name for name, our in zip(names, found, strict=True) if our is None and fold_name(name)]
    faults = []
    if missing:
        faults.append("missing: " + _listed(list(map(contract.name_in_file, missing))))
    if doubled and not is_record_wise:
        faults.append("duplicate: " + _listed(list(map(contract.name_in_file, doubled))))
    if new and contract.new_columns == "fail":
        # Even beside names that are known: a record may hold one of them, and a quote may join records to a header.
        faults.append("unknown columns: " + (f"{len(new):,}" if contract.personal_columns else _listed(new)))
    if faults:
        found_none = all(our is None for our in found)
        raise InputError(
            "the columns do not match the contract: " + "; ".join(faults),
            where=where,
            hint=hint() or _cure(names, contract, found_none=found_none, only_doubled=not missing and not new),
        )
    return Header(tuple(names), tuple(found))


def _found(names: Sequence[str], ours: Mapping[str, str]) -> list[str | None]:
    """Our name for each folded name in a file; `name [2]` is the second of a name, and the bare name the first then."""
    times, seen = Counter(names), Counter[str]()
    told_apart = {name for name in times if any(f"{name} [{number}]" in ours for number in range(1, times[name] + 1))}
    found: list[str | None] = []
    for name in names:
        seen[name] += 1
        numbered = ours.get(f"{name} [{seen[name]}]") if times[name] > 1 else None
        is_free = seen[name] == 1 or (name != "" and name not in told_apart)
        found.append(numbered or (ours.get(name) if is_free else None))
    return found


def _listed(names: Sequence[str]) -> str:
    """Names for a message: shortened, and only so many that it stays one line."""
    shown = [repr(name if len(name) <= 40 else name[:40] + "…") for name in names[:_LISTED]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _cure(names: Sequence[str], contract: Contract, *, found_none: bool, only_doubled: bool) -> str:
    format_ = contract.format
    if format_.kind in ("csv", "tsv") and len(names) == 1 and len(contract.columns) > 1:
        counts = {mark: names[0].count(mark) for mark in ";,\t|" if mark != format_.field_delimiter}
        likely = max(counts, key=lambda mark: counts[mark])
        if counts[likely]:
            return f"is the delimiter {likely!r} rather than {format_.field_delimiter!r}? see format.delimiter"
    if any("\ufffd" in name or "\0" in name for name in names):
        return f"is the encoding {format_.encoding} right? see format.encoding"
    if only_doubled:
        return "distinguish them by number: source = 'NAME [1]', 'NAME [2]' … in file order"
    if found_none:
        return "is the first line a header? see format.header, or name the columns under source or aliases"
    return "add its name to aliases, allow it with missing = 'null' or new_columns = 'ignore', or fix the file"
