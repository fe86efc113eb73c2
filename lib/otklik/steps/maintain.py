"""Step: maintain the lake: repair what killed runs left, check everything, compact, vacuum, print sizes."""

from __future__ import annotations

from otklik.errors import ConfigurationError, DamagedError
from otklik.lake import lease, maintenance
from otklik.lake.commits import Commit
from otklik.lake.folder import Folder
from otklik.lake.identity import hash_of
from otklik.lake.ledger import FileLedger, record_run
from otklik.lake.maintenance import Expected
from otklik.lake.recovery import classify_commits, roll_back
from otklik.lake.store import Lake
from otklik.lake.tables import BRONZE, FEATURES, MODEL_RUNS, RUNS, SILVER
from otklik.models import registry
from otklik.settings import load
from otklik.sources.contract import Contract
from otklik.steps.all_tables import all_tables
from otklik.steps.before_spark import check_days
from otklik.steps.context import Job
from otklik.steps.ingest import hash_of_contract, silver_table
from otklik.steps.printing import as_table
from otklik.steps.runs import start_of

#: The label of no batch: whatever is unfinished is rolled back.
_NOBODY = "maintain"


def maintain_lake(job: Job) -> int:
    """Repair, check, compact, vacuum, print sizes; with --check-only just check. Returns 1 if something is wrong."""
    days = job.options["keep_days"]
    check_days(days, is_forced=job.options["force"])
    there = maintenance.table_names(job.lake)
    only_checks = job.options["check_only"]
    writer = _writer(job)
    run = start_of(job, "maintain", "", hash_of([days, only_checks]))
    try:
        ledger = maintenance.whole_ledger(job.lake)
    except DamagedError as fault:
        # Without it nothing is checked and, above all, nothing is rolled back.
        job.print_result(f"wrong: {fault.line()}\n")
        return 1
    tables = maintenance.of_the_house(job.lake, ledger, there, all_tables())
    if not tables:
        raise ConfigurationError("no tables found", where=job.lake.root, hint="check --lake and --catalog")
    foreign = sorted({*there} - {*tables})
    if foreign:
        job.print_result(f"left alone: {', '.join(foreign)}: not created by Otklik\n")
    stuck: list[DamagedError] = []
    if not only_checks:
        with job.progress.step("repair") as step:
            if _may_repair(job):
                removed = _clear_away(job, tables)
                step.say(f"{_roll_back(job, ledger, tables, stuck)} tables rolled back, {removed} leftovers removed")
            else:
                step.say("skipped: without a lease other writers cannot be detected; --force repairs")
        still_there = {*maintenance.table_names(job.lake)}
        tables = [table for table in tables if table in still_there]
    with job.progress.step("check") as step:
        leftovers = stuck + _leftovers(job, ledger, tables)
        # A run that started meanwhile is not a killed run either.
        writer = writer or _writer(job)
        flaws = ([] if writer is not None else leftovers) + _flaws(job, ledger, tables)
        step.rows(len(tables), "tables")
        step.rows(len(flaws), "flaws")
    if not only_checks and not flaws:
        with job.progress.step("compact and vacuum") as step:
            maintenance.compact_and_vacuum(job.lake, tables, days * 24)
            step.rows(len(tables), "tables")
    if not only_checks:
        _print_sizes(job, [table for table in tables if job.lake.exists(table)])
        if all(flaw.where != RUNS.name for flaw in flaws):
            record_run(job.lake, run.done(job.clock(), {}, 0, 0, f"{len(tables)} tables, {len(flaws)} flaws"))
    if writer is not None:
        job.print_result(f"running: {writer.in_words()}; its unfinished work is not checked\n")
    job.print_result("".join(f"wrong: {flaw.line()}\n" for flaw in flaws))
    return 1 if flaws else 0


def _writer(job: Job) -> lease.Holder | None:
    """The current writer of the lake; None if there is none or no lease."""
    if job.is_alone or job.lease_folder is None:
        return None
    holder = lease.read(job.lease_folder)
    return holder if holder is not None and holder.may_still_write() else None


def _may_repair(job: Job) -> bool:
    """Whether repairs are safe: without a lease, what looks like the work of a killed run may belong to a live one."""
    return job.is_alone or bool(job.options["force"])


def _roll_back(job: Job, ledger: FileLedger, tables: list[str], stuck: list[DamagedError]) -> int:
    """Roll back commits of incomplete batches; returns the number of tables.

    A batch writes several tables: if one of them must not be touched, none is, and `_leftovers` names it. Tables that
    could not be rolled back are added to `stuck`.
    """
    refused: list[DamagedError] = []
    left = _unfinished(job, ledger, tables, refused, takes_all=bool(job.options["roll_back_all"]))
    if refused:
        return 0
    for table, commits in left.items():
        with maintenance.noting(stuck, table):
            roll_back(job.lake, table, commits, job.progress.line)
    return len(left) - len(stuck)


def _unfinished(
    job: Job, ledger: FileLedger, tables: list[str], refused: list[DamagedError], *, takes_all: bool = False
) -> dict[str, list[Commit]]:
    """Table → the commits of killed runs in it; why a table is not to be touched is added to `refused`."""
    unfinished = maintenance.unfinished(job.lake, ledger, tables)
    known = ledger.versions(unfinished)
    left = {}
    for table in unfinished:
        with maintenance.noting(refused, table):
            _, left[table] = classify_commits(job.lake, table, known.get(table), _NOBODY, takes_all=takes_all)
    return left


def _clear_away(job: Job, tables: list[str]) -> int:
    """Remove half-made tables, half-written files, and model folders that no pointer row names; returns how many."""
    half_made = [table for table in tables if job.lake.has_log_without_versions(table)]
    for table in half_made:
        job.lake.remove_log_without_versions(table)
    orphans = _orphans(job, tables)
    for folder, name in orphans:
        Folder(job.lake.folder(folder)).delete(name)
    return len(half_made) + len(orphans)


def _orphans(job: Job, tables: list[str]) -> list[tuple[str, str]]:
    """(folder of the lake, name in it) of what a killed training, report or commit left."""
    half_written = [
        (folder, name) for folder in ("models", "report") for name in Folder(job.lake.folder(folder)).half_written()
    ]
    if job.lake.catalog is None:
        logs = [f"{table.replace('.', '/')}/_delta_log" for table in tables]
        half_written += [(log, name) for log in logs for name in Folder(job.lake.folder(log)).drafts()]
    if _pointer_flaws(job.lake):
        # If rows are missing, models look like those of killed trainings.
        return half_written
    named = {folder for task in registry.tasks(job.lake) for folder in registry.history(job.lake, task)["folder"]}
    models = Folder(job.lake.folder("models"))
    left = [
        (f"models/{task}", run)
        for task in models.folders()
        for run in Folder(job.lake.folder("models", task)).folders()
        if f"models/{task}/{run}" not in named
    ]
    # A file in such a folder is removed with it.
    within = tuple(f"{folder}/{name}/" for folder, name in left)
    return left + [(folder, name) for folder, name in half_written if not f"{folder}/{name}".startswith(within)]


def _pointer_flaws(lake: Lake) -> list[DamagedError]:
    """Problems of gold.model_runs."""
    found = maintenance.definition_flaws(lake, Expected(MODEL_RUNS)) if lake.exists(MODEL_RUNS.name) else []
    return found + maintenance.run_flaws(lake, lake.version, only=MODEL_RUNS.name)


def _leftovers(job: Job, ledger: FileLedger, tables: list[str]) -> list[DamagedError]:
    """Work that no ledger lists: that of a killed run, unless somebody is writing it right now."""
    has_lease = job.is_alone or job.lease_folder is not None
    hint = "`otklik maintain`" if has_lease else "make sure that nothing else writes, then `otklik maintain --force`"
    refused: list[DamagedError] = []
    commits = [
        DamagedError(f"{len(left)} unfinished commits of a killed run", where=table, hint=f"{hint} rolls them back")
        for table, left in _unfinished(job, ledger, tables, refused).items()
    ]
    half_made = [
        DamagedError("a killed run created it without a first commit", where=table, hint=f"{hint} removes it")
        for table in tables
        if job.lake.has_log_without_versions(table)
    ]
    return [
        *half_made,
        *commits,
        *refused,
        *(
            DamagedError("left by a killed run", where=f"{folder}/{name}", hint=f"{hint} removes it")
            for folder, name in _orphans(job, tables)
        ),
    ]


def _flaws(job: Job, ledger: FileLedger, tables: list[str]) -> list[DamagedError]:
    lake = job.lake
    found: list[DamagedError] = []
    for table in (table for table in tables if not lake.has_log_without_versions(table)):
        with maintenance.noting(found, table):
            expected = _expected(job, ledger, table)
            found += [] if expected is None else maintenance.definition_flaws(lake, expected)
    found += maintenance.ledger_flaws(lake, ledger)
    found += maintenance.run_flaws(lake, lake.version)
    if any(flaw.where == MODEL_RUNS.name for flaw in found):
        return found
    for task in registry.tasks(job.lake):
        for row in registry.history(lake, task).drop_duplicates(subset=["folder"]).to_dict("records"):
            try:
                registry.load(lake, row["folder"], row["manifest_hash"])
            except DamagedError as fault:
                found.append(fault)
    return found


def _expected(job: Job, ledger: FileLedger, table: str) -> Expected | None:
    """The definition of a table; None if there is none."""
    layer, _, name = table.partition(".")
    fixed = next((known for known in all_tables() if known.name == table), None)
    if fixed is not None:
        return Expected(fixed)
    if layer == "silver":
        contract = _contract(job, ledger, name)
        if contract is None:
            return Expected(SILVER.of(name), is_whole=False, personal=None)
        return Expected(silver_table(contract), personal=contract.personal_columns)
    if layer == "bronze":
        silver = SILVER.of(name).name
        # The record contains the values that are pseudonyms in silver.
        of_record = ["record"] if job.lake.personal_columns(silver) else []
        return Expected(BRONZE.of(name), personal=of_record if job.lake.exists(silver) else None)
    return _expected_of_task(job.lake, table)


def _expected_of_task(lake: Lake, table: str) -> Expected | None:
    found = maintenance.definitions_of(table, all_tables())
    if not found:
        return None
    of_features = [definition for definition in found if definition.meaning == FEATURES.meaning]
    if of_features:
        return Expected(of_features[0], is_whole=False, personal=None)
    there = lake.read(table).dtypes
    return Expected(next((definition for definition in found if definition.dtypes == there), found[0]))


def _contract(job: Job, ledger: FileLedger, source: str) -> Contract | None:
    """The contract of the last ingest of a source; None if conf/sources has another one or none."""
    file, loaded = job.project.path / "conf" / "sources" / f"{source}.toml", ledger.loaded(source)
    if not loaded or not file.is_file():
        return None
    try:
        contract = load(Contract, file, {})
    except ConfigurationError:
        # `ingest` reports the error. The source was ingested under another, valid contract.
        return None
    return contract if hash_of_contract(contract) == loaded[-1].contract_hash else None


def _print_sizes(job: Job, tables: list[str]) -> None:
    sizes = [maintenance.size_of(job.lake, table) for table in tables]
    rows = [[size.table, size.version, size.files, round(size.bytes / 1e6, 2)] for size in sizes]
    job.print_result(as_table(["table", "version", "files", "MB"], rows))
