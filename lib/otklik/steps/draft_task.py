"""A first task of a kind over some sources, commented, and what a task of a kind may say. Knows no Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from otklik.errors import ConfigurationError
from otklik.kind import Frame, FrameColumn, Kind
from otklik.project_files import ProjectFiles
from otklik.settings import keys_of, load
from otklik.sources.contract import Contract
from otklik.task import BaseTask, KindTask

#: Spark's type of a frame's column → types of a contract's columns that fit it best.
_FITTING = {
    "double": ("double", "decimal", "integer", "bigint"),
    "bigint": ("integer", "bigint"),
    "timestamp": ("timestamp", "date"),
    "date": ("date", "timestamp"),
    "boolean": ("boolean",),
    "string": ("string", "integer", "bigint"),
}


def draft_task(kind: Kind, sources: Sequence[str], home: ProjectFiles) -> str:
    """A task file that `check` accepts: frames filled from the contracts' columns by name and type.

    Args:
        kind: of the task.
        sources: names or paths of contracts.
        home: where conf/sources lies.

    Raises:
        ConfigurationError: if the kind has no frames, or a contract is wrong.
    """
    if not issubclass(kind.task, KindTask):
        raise ConfigurationError(
            f"a task of kind {kind.name} has rows and features, not frames",
            where="--task",
            hint="copy a task of that kind in conf/tasks: CONTRIBUTING says how",
        )
    contracts = {}
    for source in sources:
        contract = load(Contract, home.source(source), {})
        contracts[contract.name] = contract
    name = f"{next(iter(contracts))}_{kind.name}"
    keys, tables = _keys_and_tables(kind.example)
    lines = [
        f"# {kind.summary.en}",
        f'name = "{name}"',
        f'kind = "{kind.name}"',
        f'title = {{ en = "{kind.title.en}: {name}", ru = "{kind.title.ru}: {name}" }}',
        f'question = {{ en = "{kind.summary.en}", ru = "{kind.summary.ru}" }}',
        *keys,
        "",
        "[inputs]",
        *(f'{source} = "silver.{source}"' for source in contracts),
    ]
    frames = [*kind.frames.values()]
    chosen = _to_fill(frames, contracts)
    for frame in frames:
        lines += ["", *_frame_lines(frame, contracts, is_comment=frame not in chosen)]
    return "\n".join([*lines, *tables]) + "\n"


def _keys_and_tables(example: str) -> tuple[list[str], list[str]]:
    """The lines of an example that stand in no table, which TOML wants before all tables, and the others."""
    lines = example.strip().splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith("[")), len(lines))
    while start and lines[start - 1].startswith("#"):
        start -= 1
    keys, tables = "\n".join(lines[:start]).strip(), "\n".join(lines[start:])
    return ["", keys] if keys else [], ["", tables] if tables else []


def _to_fill(frames: Sequence[Frame], contracts: Mapping[str, Contract]) -> list[Frame]:
    """The frames that a first task gives: those it cannot do without, else the first whose columns are all found."""
    needed = [frame for frame in frames if not frame.is_optional]
    fitting = (
        frame
        for frame in frames
        if any(
            {column.name for column in frame.columns if not column.is_optional} <= {*_guessed(frame, contract)}
            for contract in contracts.values()
        )
    )
    return needed or [next(fitting, frames[0])]


def _frame_lines(frame: Frame, contracts: Mapping[str, Contract], *, is_comment: bool) -> list[str]:
    """A frame over the contract whose columns fit it best; one that the task can do without may be a comment."""
    found = {name: _guessed(frame, contract) for name, contract in contracts.items()}
    best = max(found, key=lambda name: len(found[name]))
    lines = [
        f"[frames.{frame.name}]",
        f'input = "{best}"',
        '# where = "…"  # SQL: only these rows',
        "[frames.X.columns]",
    ]
    lines[-1] = f"[frames.{frame.name}.columns]"
    taken = {*found[best].values()}
    for column in frame.columns:
        guess = found[best].get(column.name)
        note = f"  # {column.meaning.en}"
        if guess is None:
            options = ", ".join(name for name in contracts[best].columns if name not in taken)
            mark = "# " if column.is_optional else ""
            lines.append(f'{mark}{column.name} = "NULL"{note}; columns there are: {options}')
        else:
            lines.append(f'{column.name} = "{guess}"{note}')
    if frame.others != "none":
        for name, settings in contracts[best].columns.items():
            is_number = settings.type.startswith((*_FITTING["double"], "boolean"))
            if name not in taken and not settings.personal and (is_number or frame.others == "any"):
                lines.append(f'{name} = "{name}"')
    meaning = [f"# {frame.meaning.en}"]
    return meaning + ([f"# {line}" for line in lines] if is_comment else lines)


def _guessed(frame: Frame, contract: Contract) -> dict[str, str]:
    """The frame's column → the contract's column that it seems to be, each used once."""
    found: dict[str, str] = {}
    for column in frame.columns:
        scores = {
            name: _score(column, name, settings.type)
            for name, settings in contract.columns.items()
            if name not in found.values() and (column.is_key or not settings.personal)
        }
        best = max(scores, key=lambda name: scores[name], default=None)
        if best is not None and scores[best] > 0:
            found[column.name] = best
    return found


def _score(column: FrameColumn, name: str, kind: str) -> int:
    """How well a contract's column fits: its name first, then its type."""
    parts = (column.name, *column.like)
    by_name = 4 if name == column.name else max((2 for part in parts if part in name), default=0)
    fits = kind.startswith(_FITTING[column.type])
    # A moment or an amount may be called anything; a key may not.
    return by_name + int(fits) if by_name or (fits and column.type in ("timestamp", "date")) else 0


def described(kind: Kind) -> str:
    """What a task of a kind may say, and what it writes."""
    lines = [f"{kind.name}: {kind.summary.en}", f"  {kind.summary.ru}"]
    for frame in kind.frames.values():
        optional = " (optional)" if frame.is_optional else ""
        lines += ["", f"[frames.{frame.name}]{optional}: {frame.meaning.en}"]
        lines += [f"  {c.name:<24} {c.type:<10} {c.meaning.en}{' (optional)' * c.is_optional}" for c in frame.columns]
        if frame.others != "none":
            lines.append(f"  any further columns: {'numbers' if frame.others == 'numbers' else 'numbers and texts'}")
    lines += ["", "settings:"]
    for key in keys_of(kind.task):
        if key.path.partition(".")[0] not in _OF_ALL:
            default = "required" if key.default is None else f"default {key.default}"
            lines.append(f"  {key.path:<32} {key.takes}, {default}{f'; {key.meaning}' if key.meaning else ''}")
    for stage in kind.stages:
        for table in stage.tables:
            lines += ["", f"{table.name}: {table.meaning}"]
            lines += [f"  {column.name:<24} {column.type:<10} {column.meaning}" for column in table.columns]
    return "\n".join(lines)


#: Keys that every task has.
_OF_ALL = {*BaseTask.model_fields, "frames"}
