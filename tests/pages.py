"""A page from a result that no lake holds."""

from __future__ import annotations

import importlib
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame

from otklik.kind import Finding, Kind, Measure, Reader, StageResult, Verdict
from otklik.kinds import load_object
from otklik.page.formats import Language
from otklik.page.rendering import render
from otklik.page.words import Voice


class ResultReader(Reader):
    """Reads from the result of a stage."""

    def __init__(self, result: StageResult, as_of: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        assert result.verdict is not None
        self.as_of = as_of
        self.measures = pd.DataFrame([asdict(measure) for measure in result.measures])
        self.findings: list[Finding] = list(result.findings)
        self.verdict: Verdict = result.verdict
        self._result = result

    def table(self, what: str) -> DataFrame:
        return self._result.tables[what]

    def measure(self, name: str, subject: str = "", split: str = "all") -> Measure | None:
        found = [
            one for one in self._result.measures if (one.measure, one.subject, one.split) == (name, subject, split)
        ]
        assert len(found) < 2, f"{name} is there more than once"
        return found[0] if found else None


def page_of(kind: Kind, task: Any, result: StageResult, language: Language = "en") -> str:
    """The HTML document of a result."""
    texts = importlib.import_module(kind.section.partition(":")[0]).TEXTS
    voice = Voice(language, texts)
    return render(load_object(kind.section)(ResultReader(result), task, voice), voice)
