"""Draft a commented task of a kind for given sources, and describe the settings of a kind. Imports no Spark."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from otklik.kind import Frame, FrameColumn, Kind
from otklik.project_files import ProjectFiles
from otklik.settings import keys_of, load
from otklik.sources.contract import Contract
from otklik.task import BaseTask, KindTask

#: Spark type of a frame's column → the contract types that fit it best.
_FITTING = {
    "double": ("double", "decimal", "integer", "bigint"),
    "bigint": ("integer", "bigint"),
    "timestamp": ("timestamp", "date"),
    "date": ("date", "timestamp"),
    "boolean": ("boolean",),
    "string": ("string", "integer", "bigint"),
}


#: Types that are matched by the column's name only.
_NOT_OF_TEXTS = ("double", "bigint", "timestamp", "date")


def draft_task(kind: Kind, sources: Sequence[str], project: ProjectFiles) -> str:
    """A task file that `check` accepts: filled from the contracts' columns by name and type.

    Args:
        kind: of the task.
        sources: names or paths of contracts.
        project: the files of the project.

    Raises:
        ConfigurationError: if a contract is wrong.
    """
    files = [project.source(source) for source in sources]
    contracts = {}
    for file in files:
        contract = load(Contract, file, {})
        contracts[contract.name] = contract
    first = next(iter(contracts.values()))
    name = f"{first.name}_{kind.name}"
    about = name if issubclass(kind.task, KindTask) else _in_file(first, _label(first))
    # The placeholders of an example: the column with the answer, and the arms.
    example = kind.example.replace("OUTCOME", _label(first))
    for place, value in _arms(first).items():
        example = example.replace(place, value)
    keys, tables = _keys_and_tables(example)
    lines = [
        f"# {kind.summary.en}",
        f'name = "{name}"',
        f'kind = "{kind.name}"',
        f"title = {{ en = {_quoted(f'{kind.title.en}: {about}')}, ru = {_quoted(f'{kind.title.ru}: {about}')} }}",
        f'question = {{ en = "{_sentence(kind.summary.en)}", ru = "{_sentence(kind.summary.ru)}" }}',
        *keys,
        "",
        "[inputs]",
        *(f'{source} = "silver.{source}"' for source in contracts),
        *(f'{_short(frame)} = "{frame.table}"' for frame in kind.frames.values() if frame.table),
    ]
    if not issubclass(kind.task, KindTask):
        day = datetime.fromtimestamp(files[0].stat().st_mtime, UTC).date()
        return "\n".join([*lines, *_rows_and_features(first, day)]) + "\n"
    frames = [*kind.frames.values()]
    chosen = _to_fill(frames, contracts)
    for frame in frames:
        lines += [
            "",
            *_frame_lines(frame, contracts, is_comment=frame not in chosen, two_arms=_TWO_ARMS in kind.example),
        ]
    return "\n".join([*lines, *tables]) + "\n"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _rows_and_features(contract: Contract, day: date) -> list[str]:
    """The TOML tables of a yes-or-no task over one source with one record per customer and answer."""
    label = _label(contract)
    key = contract.whole_key[0] if contract.key.columns != "all" and len(contract.whole_key) == 1 else "row_id"
    event = contract.time.event if contract.time.order == "event" else None
    left_out = {label, key, event, *contract.personal_columns}
    plain = {n: c for n, c in contract.columns.items() if n not in left_out and c.type not in ("date", "timestamp")}
    features = [name for name, column in plain.items() if column.known == "with_row"]
    later = [name for name in plain if name not in features]
    others = ", ".join(name for name in contract.columns if name not in (label, key))
    is_number = contract.columns[label].type.partition("(")[0] in _FITTING["double"]
    moment = (
        f'moment = "{day}"  # the day the records were extracted' if event is None else f'moment_column = "{event}"'
    )
    return [
        "",
        "# A record is a customer with an answer; label is its column, yes the value (or list of values)",
        f"# that means yes. Other columns: {others}",
        "[rows]",
        'sql = "record_rows"',
        f"time_ordered = {'false' if event is None else 'true'}",
        "[rows.settings]",
        f'input = "{contract.name}"',
        f'key = "{key}"',
        f'label = "{label}"',
        'yes = "1"  # for counts instead: above = 100' if is_number else 'yes = "yes"',
        moment,
        "",
        "# columns: only what is known at decision time. What becomes known later goes to known_after: it is shown,",
        "# but never used by a model that scores.",
        "[features.record]",
        'sql = "record_columns"',
        "[features.record.settings]",
        f'input = "{contract.name}"',
        f'key = "{key}"',
        f"columns = {json.dumps(features)}",
        *([f"known_after = {json.dumps(later)}"] if later else []),
        *_meanings(contract, [*features, *later]),
        "",
        "# Cost of a contact and value of a yes, in one currency. Without them you get probabilities but no list.",
        "# [decision]",
        "# cost = 1.0",
        "# value = 20.0",
    ]


def _meanings(contract: Contract, names: Sequence[str]) -> list[str]:
    """Titles of the columns on the page: their meanings in the contract, or their names in the file."""
    said = {name: contract.columns[name].meaning or _in_file(contract, name) for name in names}
    plain = {name: " ".join(text.replace("|", "/").split()) for name, text in said.items()}
    told = {name: f"{text} | {text}" for name, text in plain.items() if text not in ("", name, name.replace("_", " "))}
    if not told:
        return []
    lines = [f"{name} = {_quoted(text)}" for name, text in told.items()]
    return ["[features.record.settings.meanings]  # English | Russian, for the page", *lines]


def _in_file(contract: Contract, name: str) -> str:
    """The name of a column in the file."""
    return contract.columns[name].source or name


def _quoted(text: str) -> str:
    """A TOML string."""
    return json.dumps(text, ensure_ascii=False)


def _label(contract: Contract) -> str:
    """The column that is likely to be the label; otherwise the last one."""
    return next(iter(_answers(contract)), list(contract.columns)[-1])


def _answers(contract: Contract) -> list[str]:
    """Columns that are likely to be labels, most likely first: known after the decision, and with a typical name."""
    named = [name for name in contract.columns if {*_ANSWERS} & {name, *name.split("_")}]
    late = [name for name, column in contract.columns.items() if column.known == "after_decision"]
    return [*(name for name in late if name in named), *named, *late]


def _as_number(contract: Contract, name: str) -> str:
    """SQL for a column as a number; yes and no become 1 and 0."""
    levels = contract.columns[name].allowed or []
    yes = next((level for level in levels if str(level).lower() in _YES), None)
    return name if yes is None or len(levels) != 2 else f"IF({name} = '{yes}', 1, 0)"


def _arms(contract: Contract) -> dict[str, str]:
    """Values of the placeholders CONTROL, FIRST_ARM and ARMS of an example, from the contract's allowed levels."""
    control, *others = _levels(contract)[1] or ["control", "treatment"]
    sizes = ", ".join(f"{json.dumps(each, ensure_ascii=False)} = 1" for each in (control, *others))
    return {"CONTROL": control, _TWO_ARMS: others[0], "ARMS": sizes}


def _levels(contract: Contract) -> tuple[str, list[str]]:
    """The column with the arms and its levels in the contract, the control first; empty if there is none."""
    for name, column in contract.columns.items():
        arms = [str(level) for level in column.allowed or []]
        if {*_ARM_NAMES} & {name, *name.split("_")} and len(arms) > 1:
            control = next((each for each in arms if {*each.lower().split()} & {*_CONTROLS}), arms[0])
            return name, [control, *(each for each in arms if each != control)]
    return "", []


def _where(contract: Contract, *, two_arms: bool) -> list[str]:
    """The `where` of the rows: the first two arms, if there are more than a kind compares."""
    name, arms = _levels(contract)
    if not two_arms or len(arms) < 3:
        return ['# where = "…"  # SQL: only these rows']
    shown = ", ".join("'" + arm.replace("'", "''") + "'" for arm in arms[:2])
    return [
        f"# two arms are compared; the source also has: {', '.join(arms[2:])}",
        f"where = {json.dumps(f'{name} IN ({shown})', ensure_ascii=False)}",
    ]


def _keys_and_tables(example: str) -> tuple[list[str], list[str]]:
    """Split an example into top-level keys, which TOML requires first, and tables."""
    lines = example.strip().splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith("[")), len(lines))
    while start and lines[start - 1].startswith("#"):
        start -= 1
    keys, tables = "\n".join(lines[:start]).strip(), "\n".join(lines[start:])
    return ["", keys] if keys else [], ["", tables] if tables else []


def _to_fill(frames: Sequence[Frame], contracts: Mapping[str, Contract]) -> list[Frame]:
    """Frames of the draft: the required ones, or the first one whose columns are all found."""
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


def _frame_lines(frame: Frame, contracts: Mapping[str, Contract], *, is_comment: bool, two_arms: bool) -> list[str]:
    """A frame over the best-fitting contract; an optional frame may be commented out."""
    if frame.table:
        return [
            f"# {frame.meaning.en}",
            f"[frames.{frame.name}]",
            f'input = "{_short(frame)}"',
            "# where = \"task = '…'\"  # SQL: only these rows",
        ]
    found = {name: _guessed(frame, contract) for name, contract in contracts.items()}
    by_name = {column.name: column for column in frame.columns}

    def fit(name: str) -> tuple[int, int]:
        types = contracts[name].columns
        return len(found[name]), sum(_score(by_name[to], of, types[of].type) for to, of in found[name].items())

    best = max(found, key=fit)
    lines = [
        f"[frames.{frame.name}]",
        f'input = "{best}"',
        *_where(contracts[best], two_arms=two_arms),
        f"[frames.{frame.name}.columns]",
    ]
    taken = {*found[best].values()}
    for column in frame.columns:
        guess = found[best].get(column.name)
        note = f"  # {column.meaning.en}"
        if guess is None and column.is_key and not column.is_optional and frame.others != "none":
            lines.append(f'{column.name} = "row_id"{note}; not found in the source: each row counts as one')
        elif guess is None:
            options = ", ".join(name for name in contracts[best].columns if name not in taken)
            mark = "# " if column.is_optional else ""
            answer = _label(contracts[best])
            is_answer = column.name == "outcome" and answer not in taken and bool(_answers(contracts[best]))
            value = _as_number(contracts[best], answer) if is_answer else "NULL"
            offer = f"; available columns: {options}" if options else ""
            lines.append(f'{mark}{column.name} = "{value}"{note}{offer}')
        else:
            lines.append(f'{column.name} = "{guess}"{note}')
    if frame.others != "none":
        # Next to an outcome are columns known before it.
        has_outcome = any(column.name == "outcome" for column in frame.columns)
        for name, settings in contracts[best].columns.items():
            value = _as_number(contracts[best], name)
            is_number = settings.type.startswith((*_FITTING["double"], "boolean")) or value != name
            if name in taken or settings.personal:
                continue
            if has_outcome and settings.known == "after_decision":
                lines.append(f"# {name} becomes known only after the decision")
            elif is_number or (frame.others == "any" and settings.type == "string"):
                lines.append(f'{name} = "{value}"')
            elif settings.type in ("date", "timestamp"):
                lines.append(f'# {name}_day = "UNIX_DATE(DATE({name}))"  # a time, as a number of days')
    meaning = [f"# {frame.meaning.en}"]
    return meaning + ([f"# {line}" for line in lines] if is_comment else lines)


def _short(frame: Frame) -> str:
    """Name of the gold table of a frame in a draft."""
    return frame.table.rpartition(".")[2]


def _guessed(frame: Frame, contract: Contract) -> dict[str, str]:
    """The frame's column → the best-matching column of the contract; each is used once."""
    found: dict[str, str] = {}
    key = [] if contract.key.columns == "all" else contract.whole_key
    for column in frame.columns:
        # A customer may occur in several rows of a source, each with a different arm.
        if column.name == "unit" and frame.others != "none" and len(key) == 1:
            found[column.name] = key[0]
            continue
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
    # Two letters begin many words: `idle` is not an id. Within a word they mean nothing: an account is not a count.
    words = {name, *name.split("_")}
    is_like = any(part in words or (len(part) > _LETTERS and any(w.startswith(part) for w in words)) for part in parts)
    by_name = 4 if name == column.name else 3 if name in column.like else 2 if is_like else 0
    fits = kind.startswith(_FITTING[column.type])
    if kind == "string" and column.type in _NOT_OF_TEXTS and by_name < 4:
        return 0
    # A moment or an amount may have any name; a key may not.
    return by_name + int(fits) if by_name or (fits and column.type in ("timestamp", "date")) else 0


def described(kind: Kind) -> str:
    """The settings of tasks of a kind, and the tables they write."""
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
            lines.append(f"  {key.path:<32} {key.takes}, {key.otherwise}; {key.meaning}")
    for stage in kind.stages:
        for table in stage.tables:
            lines += ["", f"{table.name}: {table.meaning}"]
            lines += [f"  {column.name:<24} {column.type:<10} {column.meaning}" for column in table.columns]
    return "\n".join(lines)


#: Placeholder in the example of a kind that compares two arms.
_TWO_ARMS = "FIRST_ARM"
#: Longer words are also searched for inside names.
_LETTERS = 3
#: Typical words in the name of a column with an answer.
_ANSWERS = (
    "label", "target", "outcome", "churn", "churned", "left", "response", "responded", "converted", "conversion", "y",
    "subscribed", "purchased", "bought", "otklik", "ottok",
)  # fmt: skip
#: Values that mean yes.
_YES = ("yes", "y", "true", "t", "1", "да", "истина", "иә")
#: Typical names of the column with the arm, and of the arm without a contact.
_ARM_NAMES = ("arm", "group", "variant", "treatment", "contacted", "segment")
_CONTROLS = ("control", "no", "none", "nothing", "false", "0", "нет", "контроль")
#: Keys of every task.
_OF_ALL = {*BaseTask.model_fields, "frames"}
