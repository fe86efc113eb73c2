"""Pages of the report: one per task and language, and before them an index with a card for each task."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from otklik.features.builder import END_OF_TIME
from otklik.kinds import find_kind, kind_places, load_object
from otklik.lake.folder import Folder
from otklik.lake.identity import code_version, hash_of
from otklik.lake.ledger import FileEntry, FileLedger, Run, find_run, record_run
from otklik.lake.store import Lake
from otklik.page import provenance, rendering
from otklik.page.blocks import Block, Bullets, Section
from otklik.page.formats import LANGUAGES, Language
from otklik.page.rendering import Card, KeyFigure, Page
from otklik.page.words import Voice
from otklik.steps.answers import RunReader, latest_verdicts, measure_of, read_findings, reason_of
from otklik.steps.context import Job
from otklik.steps.resolve import ResolvedTask, voice_of
from otklik.steps.runs import record_failure
from otklik.task import BaseTask

INDEX = "index"


def page_name(task: str, language: Language) -> str:
    """The file name of a task's page in a language."""
    return f"{task}.html" if language == "en" else f"{task}.{language}.html"


def named_file(job: Job, path: Path) -> str:
    """The name of a task's file from anywhere on this machine: its name in conf/tasks, or its absolute path."""
    return job.project.name_of_task(path.resolve())


def said_of(task: BaseTask) -> str:
    """A hash of a task with its texts, which affect its page but no results."""
    return hash_of(task.model_dump(mode="json"))[:16]


def mark_of(page: str, content: bytes) -> str:
    """The hash that identifies a written page in ops.runs."""
    return f"{page} {hashlib.sha256(content).hexdigest()[:16]}"


def is_written(job: Job, run: Run, page: str) -> bool:
    """Whether an earlier run with the same inputs wrote the page, so that it can be reused."""
    earlier = find_run(job.lake, run.run_id, run.job, run.inputs)
    folder, index = Folder(job.lake.folder("report")), page_name(INDEX, job.options.language)
    if earlier is None or not {page, index} <= {*folder.files()} or earlier.message != mark_of(page, folder.read(page)):
        return False
    record_run(job.lake, run.reused(job.clock(), earlier))
    return True


def write_page(job: Job, resolved: ResolvedTask, runs: Sequence[Run]) -> None:
    """Write the page of a task whose kind has a section, and the index."""
    name, language = resolved.task.name, job.options.language
    page = page_name(name, language)
    last = runs[-1]
    file = named_file(job, resolved.file.path)
    inputs = {
        "run": f"{last.run_id} {last.ended_at}",
        "language": language,
        "page": page,
        "file": file,
        "said": said_of(resolved.task),
        "code": code_version(),
    }
    run = replace(last, job="report", inputs=inputs, outputs={})
    run = replace(run, status="failed", started_at=job.clock(), ended_at=None)
    with record_failure(job, run), job.progress.step(f"report {name}") as step:
        if is_written(job, run, page):
            step.say("reused")
            return
        voice = voice_of(resolved.kind, language)
        read = RunReader(job.lake, name, runs)
        made: Page = load_object(resolved.kind.section)(read, resolved.task, voice)
        sections = [*made.sections, *_common_sections(job, resolved, last, read, voice)]
        stamp = [*made.stamp, *_stamp(resolved, last, voice)]
        html = rendering.render(replace(made, sections=sections, stamp=stamp), voice).encode()
        Folder(job.lake.folder("report")).write(page, html)
        write_index(job)
        step.say(job.lake.folder("report", page))
    record_run(job.lake, run.done(job.clock(), {}, 0, 1, mark_of(page, html)))


def _stamp(resolved: ResolvedTask, run: Run, voice: Voice) -> list[str]:
    moment = (
        []
        if resolved.as_of == END_OF_TIME
        else [voice.words("head.as_of", moment=voice.formats.moment(resolved.as_of))]
    )
    return [*moment, voice.words("head.run", run=run.run_id[:12])]


def _common_sections(job: Job, resolved: ResolvedTask, last: Run, read: RunReader, voice: Voice) -> list[Section]:
    """The last sections of every page: findings, remarks, files, and where the numbers come from."""
    words = voice.words
    said = [voice.told(finding) for finding in read.findings]
    remarks = [remark[voice.language] for remark in resolved.task.remarks]
    as_of = words("index.untimed") if resolved.as_of == END_OF_TIME else voice.formats.moment(resolved.as_of)
    facts = [
        ("origin.task", resolved.task.name),
        ("origin.run", last.run_id),
        ("origin.as_of", as_of),
        ("origin.code", last.code_version),
    ]
    versions = {**resolved.inputs.versions, **read.outputs}
    silver = {table: version for table, version in resolved.inputs.versions.items() if table.startswith("silver.")}
    parts: list[tuple[str, Sequence[Block]]] = [
        ("noticed", [Bullets(said)] if said else []),
        ("remarks", [Bullets(remarks)] if remarks else []),
        ("quality", provenance.files(balances_of(job.lake, silver), voice) if silver else []),
        ("origin", provenance.run(facts, versions, voice)),
    ]
    return [Section(anchor, words(f"section.{anchor}"), blocks) for anchor, blocks in parts if blocks]


def balances_of(lake: Lake, versions: Mapping[str, int]) -> pd.DataFrame:
    """The rows of ops.files for some silver tables at these versions."""
    ledger = FileLedger(lake)
    files = [file for table in versions for file in ledger.files_at(table.partition(".")[2], versions[table])]
    return pd.DataFrame([vars(file) for file in files], columns=[field.name for field in fields(FileEntry)])


def write_index(job: Job) -> None:
    """Write the page of cards: every task that has a verdict and a page, in any language."""
    language = job.options.language
    folder = Folder(job.lake.folder("report"))
    there = {*folder.files()}
    cards = []
    for row in latest_verdicts(job.lake):
        pages = [page_name(row["task"], one) for one in (language, *LANGUAGES)]
        page = next((page for page in pages if page in there), None)
        if page is not None:
            cards.append(_card(job.lake, row, page, language))
    voice = Voice(language, {})
    folder.write(page_name(INDEX, language), rendering.render_index(cards, voice).encode())


def _card(lake: Lake, row: Mapping[str, Any], page: str, language: Language) -> Card:
    """The card of a task in the index.

    If the package of its kind is not installed, the card has the texts common to all kinds.
    """
    is_known = row["kind"] in kind_places()
    kind = find_kind(row["kind"], row["task"]) if is_known else None
    voice = Voice(language, {}) if kind is None else voice_of(kind, language)
    warned = [finding for finding in read_findings(lake, row["task"], [row["run_id"]]) if finding.is_warning]
    warnings = [voice.told(finding) for finding in warned if voice.words.has(f"finding.{finding.code}")]
    key = None if row["key"] is None else measure_of(row["key"])
    figure = None
    if key is not None:
        interval = voice.formats.interval(key.low, key.high, lambda x: voice.formats.decimal(x, 3))
        baseline = (
            ""
            if key.baseline is None
            else voice.words("card.baseline", value=voice.formats.short_decimal(key.baseline))
        )
        note = " · ".join(text for text in (f"95% {interval}" if interval else "", baseline) if text)
        figure = KeyFigure(voice.words.known("measure", key.measure), voice.formats.short_decimal(key.value), note)
    as_of, title = row["as_of"], voice.words(f"verdict.{row['verdict']}")
    reasons = [voice.told(reason_of(reason), "reason") for reason in row["reasons"]]
    return Card(
        href=page,
        title=row["title"][language],
        question=row["question"][language],
        kind=row["kind"] if kind is None else kind.title[language],
        verdict=row["verdict"],
        verdict_title=title,
        figure=figure,
        as_of=voice.words("index.untimed")
        if as_of is None or as_of.year == END_OF_TIME.year
        else voice.formats.day(as_of),
        reasons=[reason for reason in reasons if reason != title][:2],
        warnings=warnings,
    )
