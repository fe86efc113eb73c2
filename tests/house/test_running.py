"""Every command, and the Airflow DAG, of docs/running.md is one that the real parser takes."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pyspark
import pytest
from tests.conftest import PROJECT

from otklik import errors
from otklik.command_line.arguments import parser
from otklik.project_files import find_project
from otklik.steps.package import ENVIRONMENT, ZIP

PAGE = (PROJECT / "docs" / "running.md").read_text(encoding="utf-8")
HOME = find_project(None)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def commands() -> list[list[str]]:
    """The arguments of the command, whatever starts it."""
    found = []
    for line in "\n".join([*blocks("sh"), *blocks("crontab")]).splitlines():
        for part in line.split(" && "):
            starter, *words = shlex.split(part, comments=True) or [""]
            if starter.endswith("/otklik") or starter == "./scripts/submit":
                found.append(words)
            elif starter == "spark-submit":
                found.append([Path(words[0]).stem, *words[1:]])
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_is_one_that_works(words: list[str]) -> None:
    given = parser().parse_args(words)
    if given.command == "package":
        given = parser().parse_args(given.submit)
    assert_known(given.command, [given.env, *(getattr(given, name, None) or "" for name in ("task", "source"))])


def assert_known(job: str, names: list[str]) -> None:
    """The job is there, and so are the environment, the task and the contract."""
    assert HOME.job(job).is_file()
    environment, task, source = names
    assert HOME.spark_properties(environment).is_file()
    assert not task or HOME.task(task).is_file()
    assert not source or HOME.source(source).is_file()


def test_scripts_of_the_page_are_there() -> None:
    scripts = set(re.findall(r"\./(scripts/\w+)", PAGE))
    assert scripts
    assert [name for name in scripts if not (PROJECT / name).is_file()] == []


def test_links_lead_somewhere() -> None:
    anchors = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)}
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert [link for link in links if link.startswith("#") and link[1:] not in anchors] == []
    assert [link for link in links if link[0] != "#" and not (PROJECT / "docs" / link).is_file()] == []


def test_every_exit_code_has_its_advice() -> None:
    classes = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.OtklikError)
    ]
    codes = {0, 1, 130, 141, 143, errors.WARNING_EXIT_CODE, *(kind.exit_code for kind in classes)}
    rows = re.findall(r"^\| ([\d, ]+) \|", PAGE, re.MULTILINE)
    assert codes <= {int(code) for row in rows for code in row.split(",")}


class Operator:
    """Stands for Airflow's: keeps what it is given, and ends as spark-submit would."""

    code = 0

    def __init__(self, **given: Any) -> None:
        self.given = given
        self.log = self
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)

    def execute(self, context: Any) -> None:
        if self.code:
            raise RuntimeError(f"Cannot execute: spark-submit …. Error code is: {self.code}.")


class FailError(Exception):
    """Stands for AirflowFailException: no further attempt."""


class Dag:
    """Stands for Airflow's."""

    def __init__(self, name: str, **_: Any) -> None:
        self.name = name

    def __enter__(self) -> Dag:
        return self

    def __exit__(self, *_: object) -> None:
        return


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> list[Operator]:
    """The tasks of the page's DAG, one after another, with Airflow's classes stood for."""
    chained: list[Operator] = []

    def chain(*tasks: Operator) -> None:
        chained.extend(tasks)

    stand_ins: dict[str, dict[str, Any]] = {
        "airflow.exceptions": {"AirflowException": RuntimeError, "AirflowFailException": FailError},
        "airflow.providers.apache.spark.operators.spark_submit": {"SparkSubmitOperator": Operator},
        "airflow.sdk": {"DAG": Dag, "chain": chain},
    }
    for name, content in stand_ins.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    [dag] = blocks("python")
    exec(compile(dag, "running.md", "exec"), {})
    return chained


def test_the_dag_submits_what_the_package_holds(tasks: list[Operator]) -> None:
    installed = sorted(jar.name for jar in (Path(pyspark.__file__).parent / "jars").glob("delta-*.jar"))
    assert [(Path(task.given["application"]).stem, task.given["application_args"][0]) for task in tasks] == [
        *(("ingest", source) for source in ("customers", "contacts", "engagements")),
        *((step, "campaign_response") for step in ("features", "train", "score", "report")),
    ]
    for task in tasks:
        given = parser().parse_args([Path(task.given["application"]).stem, *task.given["application_args"]])
        assert_known(given.command, [given.env, *(getattr(given, name, None) or "" for name in ("task", "source"))])
        assert task.given["properties_file"].endswith("package/conf/spark/yarn.conf")
        assert task.given["py_files"].endswith(f"package/{ZIP}")
        assert task.given["archives"].endswith(f"package/{ENVIRONMENT}#environment")
        assert [Path(jar).name for jar in task.given["jars"].split(",")] == installed
    assert len({task.given["task_id"] for task in tasks}) == len(tasks)


@pytest.mark.parametrize(
    ("code", "fault"), [(0, None), (10, None), (8, RuntimeError), (7, RuntimeError), (3, FailError)]
)
def test_the_dag_knows_the_exit_codes(
    tasks: list[Operator], monkeypatch: pytest.MonkeyPatch, code: int, fault: type[Exception] | None
) -> None:
    monkeypatch.setattr(Operator, "code", code)
    if fault is None:
        tasks[0].execute({})
    else:
        with pytest.raises(fault):
            tasks[0].execute({})
    assert len(tasks[0].warnings) == (code == 10)
