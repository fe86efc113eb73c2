"""The bundle for Databricks, held against the project: no workspace is needed, and none was to be had."""

from __future__ import annotations

import argparse
import email
import graphlib
import itertools
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from databricks.sdk.service.jobs import JobSettings
from pydantic import BaseModel, ConfigDict, Field, model_validator
from tests.conftest import PROJECT

from otklik import cli, session
from otklik.command_line.arguments import parser
from otklik.command_line.environment import absolute
from otklik.environment import Environment, read_properties
from otklik.errors import WARNING_EXIT_CODE, ConfigurationError
from otklik.lake import lease
from otklik.project_files import ProjectFiles
from otklik.settings import load
from otklik.sources.contract import Contract
from otklik.steps.context import Job
from otklik.steps.graph import read_graph
from otklik.task import Task

HOME = ProjectFiles(PROJECT)
BUNDLE: dict[str, Any] = yaml.safe_load((PROJECT / "databricks.yml").read_text(encoding="utf-8"))
REFERENCE = re.compile(r"\$\{([\w.]+)\}")
#: What nobody but the user can know; given with --var when the bundle is deployed.
ASKED = {"dev": {"alert_email", "node_type"}, "prod": {"alert_email", "node_type", "service_principal"}}
WHEEL = "./dist/*.whl"

Seconds = Field(gt=0, le=86_400)


class Part(BaseModel):
    """A part of the bundle, as far as ours uses it: a key that is not named here is a slip."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Emails(Part):
    on_failure: list[str]
    on_duration_warning_threshold_exceeded: list[str] = []


class PythonFile(Part):
    python_file: str
    parameters: list[str]


class Key(Part):
    task_key: str


class Library(Part):
    whl: str


class Place(Part):
    """What a step and a loop over steps have in common: where in the row they stand."""

    task_key: str = Field(pattern=r"^[\w-]{1,100}$")
    depends_on: list[Key] = []
    run_if: Literal["ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE"] = "ALL_SUCCESS"


class Step(Place):
    spark_python_task: PythonFile
    job_cluster_key: str | None = None
    libraries: list[Library] = []
    environment_key: str | None = None
    timeout_seconds: int = Seconds
    max_retries: int = Field(ge=0, le=5)
    min_retry_interval_millis: int = 0
    email_notifications: Emails | None = None
    notification_settings: dict[Literal["alert_on_last_attempt"], bool] = {}

    @model_validator(mode="after")
    def _runs_in_one_place(self) -> Step:
        is_classic = self.job_cluster_key is not None
        assert is_classic is (self.environment_key is None), f"{self.task_key}: a cluster or an environment, not both"
        assert [each.whl for each in self.libraries] == ([WHEEL] if is_classic else []), f"{self.task_key}: the wheel"
        assert (self.max_retries > 0) is (self.min_retry_interval_millis > 0), f"{self.task_key}: retries"
        return self


class Round(Part):
    inputs: str
    #: One writer at a time.
    concurrency: Literal[1]
    task: Step

    @property
    def steps(self) -> list[Step]:
        """The step for each input, as it will be run."""
        return [with_value(self.task, "input", each) for each in json.loads(self.inputs)]


class Loop(Place):
    for_each_task: Round


def with_value(step: Step, name: str, value: str) -> Step:
    """A step with a value in place of the name by which Databricks knows it."""
    task = step.spark_python_task
    given = [each.replace(f"{{{{{name}}}}}", value) for each in task.parameters]
    return step.model_copy(update={"spark_python_task": task.model_copy(update={"parameters": given})})


class Parameter(Part):
    name: str
    default: str


class Cluster(Part):
    spark_version: str = Field(pattern=r"^\d+\.(\d+|x)(\.x)?-scala2\.13$")
    node_type_id: str
    num_workers: Literal[0]
    data_security_mode: Literal["SINGLE_USER"]
    runtime_engine: Literal["STANDARD"]
    custom_tags: dict[Literal["ResourceClass"], Literal["SingleNode"]]
    spark_conf: dict[str, str]
    spark_env_vars: dict[str, str]


class JobCluster(Part):
    job_cluster_key: str
    new_cluster: Cluster


class EnvironmentSpec(Part):
    environment_version: str = Field(pattern=r"^\d+$")
    dependencies: list[str]


class JobEnvironment(Part):
    environment_key: str
    spec: EnvironmentSpec


class Schedule(Part):
    quartz_cron_expression: str = Field(pattern=r"^\d+ \d+ \d+ [?*] \* [?*]$")
    timezone_id: str
    #: Without one a development target pauses it, and a production target does not.
    pause_status: Literal["PAUSED"] | None = None


class HealthRule(Part):
    metric: Literal["RUN_DURATION_SECONDS"]
    op: Literal["GREATER_THAN"]
    value: int = Seconds


class Health(Part):
    rules: list[HealthRule] = Field(min_length=1)


class Pipeline(Part):
    name: str
    description: str
    max_concurrent_runs: Literal[1]
    queue: dict[Literal["enabled"], bool]
    #: None where somebody starts it.
    schedule: Schedule | None = None
    parameters: list[Parameter] = []
    timeout_seconds: int = Seconds
    health: Health
    email_notifications: Emails
    notification_settings: dict[Literal["no_alert_for_skipped_runs", "no_alert_for_canceled_runs"], bool]
    job_clusters: list[JobCluster]
    environments: list[JobEnvironment] = []
    tasks: list[Step | Loop]

    @property
    def steps(self) -> list[Step]:
        """All steps in the order in which they are run; a loop's, one for each input. Nobody gave other parameters."""
        steps = [
            step for each in self.tasks for step in ([each] if isinstance(each, Step) else each.for_each_task.steps)
        ]
        for parameter in self.parameters:
            steps = [with_value(step, f"job.parameters.{parameter.name}", parameter.default) for step in steps]
        return steps

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.task_key == name)


class Variable(Part):
    description: str
    default: str | None = None


class Artifact(Part):
    type: Literal["whl"]
    build: str
    dynamic_version: Literal[True]


class Resources(Part):
    jobs: dict[str, Pipeline]


class Workspace(Part):
    root_path: str


class RunAs(Part):
    service_principal_name: str


class Target(Part):
    mode: Literal["development", "production"]
    default: bool = False
    variables: dict[str, str]
    workspace: Workspace | None = None
    run_as: RunAs | None = None


class Bundle(Part):
    bundle: dict[Literal["name"], str]
    variables: dict[str, Variable]
    artifacts: dict[str, Artifact]
    sync: dict[Literal["paths"], list[str]]
    resources: Resources
    targets: dict[str, Target]


def values(target: str) -> dict[str, str]:
    """Every reference that stands in the bundle → what it means in a target."""
    given = {name: variable["default"] for name, variable in BUNDLE["variables"].items() if "default" in variable}
    given |= BUNDLE["targets"][target]["variables"]
    given |= {name: f"{name}-of-user" for name in ASKED[target]}
    of_the_platform = {"bundle.name": BUNDLE["bundle"]["name"], "bundle.target": target}
    of_the_platform["workspace.current_user.userName"] = "deployer@example.kz"
    return of_the_platform | {f"var.{k}": v for k, v in given.items()}


def resolved(part: Any, meanings: Mapping[str, str]) -> Any:
    """A part of the bundle with its references replaced; one that means nothing is a KeyError."""
    if isinstance(part, Mapping):
        return {key: resolved(value, meanings) for key, value in part.items()}
    if isinstance(part, list):
        return [resolved(value, meanings) for value in part]
    return REFERENCE.sub(lambda found: meanings[found[1]], part) if isinstance(part, str) else part


def texts(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        part = [*part.values()]
    if isinstance(part, list):
        for each in part:
            yield from texts(each)
    elif isinstance(part, str):
        yield part


def pipelines(target: str) -> dict[str, Pipeline]:
    return Bundle.model_validate(resolved(BUNDLE, values(target))).resources.jobs


def arguments(step: Step) -> list[str]:
    """The command line that the step's file will see, after the name of its command."""
    return [Path(step.spark_python_task.python_file).stem, *step.spark_python_task.parameters]


def must_come_before(pipeline: Pipeline) -> dict[str, set[str]]:
    return {step.task_key: {each.task_key for each in step.depends_on} for step in pipeline.tasks}


PIPELINES = [
    pytest.param(pipeline, id=f"{target}-{name}") for target in ASKED for name, pipeline in pipelines(target).items()
]
STEPS = [
    pytest.param(step, id=f"{target}-{name}-{number}-{step.task_key}")
    for target in ASKED
    for name, pipeline in pipelines(target).items()
    for number, step in enumerate(pipeline.steps)
]
#: Those that answer one yes-or-no question, step by step.
STEP_BY_STEP = [each for each in PIPELINES if str(each.id).endswith(("-otklik", "-serverless"))]


def test_the_makers_own_classes_know_every_key() -> None:
    """What they do not know they leave out when they write a job again."""
    for name, job in BUNDLE["resources"]["jobs"].items():
        assert JobSettings.from_dict(job).as_dict() == job, name


def test_every_variable_is_declared_used_and_known_in_every_target() -> None:
    declared, used = set(BUNDLE["variables"]), set()
    for text in texts(BUNDLE):
        used |= {name.removeprefix("var.") for name in REFERENCE.findall(text) if name.startswith("var.")}
    assert used == declared

    assert set(BUNDLE["targets"]) == set(ASKED)
    for target, asked in ASKED.items():
        unknown = {name for name, variable in BUNDLE["variables"].items() if "default" not in variable}
        assert unknown - set(BUNDLE["targets"][target]["variables"]) == asked


def test_the_guide_says_which_variables_are_asked_for_and_where_the_rest_comes_from() -> None:
    guide = (PROJECT / "docs" / "databricks.md").read_text(encoding="utf-8")

    assert {f"| `{name}` |" for name in BUNDLE["variables"]} <= set(re.findall(r"^\| `\w+` \|", guide, re.MULTILINE))
    assert all(f"--var={name}=" in guide for name in ASKED["prod"])


def test_one_target_is_for_trying_and_one_for_work() -> None:
    bundle = Bundle.model_validate(resolved(BUNDLE, values("prod")))
    dev, prod = bundle.targets["dev"], bundle.targets["prod"]

    assert (dev.mode, dev.default) == ("development", True)
    assert (prod.mode, prod.default) == ("production", False)
    assert prod.run_as is not None, "what a person started must not stop when the person leaves"
    assert prod.workspace is not None
    assert prod.workspace.root_path.startswith("/Workspace/Users/"), "everybody could change what runs with the key"
    for target in (dev, prod):
        assert target.variables["lake"].startswith(f"/Volumes/{target.variables['catalog']}/")
        assert target.variables["landing"].startswith(f"/Volumes/{target.variables['catalog']}/")
    assert dev.variables["catalog"] != prod.variables["catalog"]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_steps_stand_in_one_row_because_nothing_keeps_two_writers_apart(pipeline: Pipeline) -> None:
    before = must_come_before(pipeline)
    assert set().union(*before.values()) <= set(before)
    assert len(before) == len(pipeline.tasks)

    row = list(graphlib.TopologicalSorter(before).static_order())

    assert row == [step.task_key for step in pipeline.tasks], "as they stand in the file"
    assert [name for name, after in itertools.pairwise(row) if name not in before[after]] == []


def given_to(pipeline: Pipeline) -> list[argparse.Namespace]:
    """What each step is asked for; all about the same lake."""
    given = [parser().parse_args(arguments(step)) for step in pipeline.steps]
    assert len({(each.catalog, each.lake, each.env) for each in given}) == 1
    return given


def ingested(given: list[argparse.Namespace]) -> set[str]:
    return {f"silver.{each.source}" for each in given if each.command == "ingest"}


@pytest.mark.parametrize("pipeline", STEP_BY_STEP)
def test_the_steps_are_those_of_the_pipeline(pipeline: Pipeline) -> None:
    given = given_to(pipeline)
    asked = {each.task for each in given if "task" in each}

    assert [each.command for each in given if each.command != "ingest"] == [
        *("features", "train", "score", "report", "maintain")
    ]
    assert len(asked) == 1
    assert ingested(given) == set(load(Task, HOME.task(*asked)).inputs.values())


@pytest.mark.parametrize("target", ASKED)
def test_one_job_answers_all_questions_in_one_step_and_one_has_a_step_for_each(target: str) -> None:
    all_at_once, one_by_one = (given_to(pipelines(target)[name]) for name in ("otklik_all", "otklik_each"))
    graph = read_graph(HOME)
    answered = [
        name
        for name in graph.order()
        if all(table in ingested(one_by_one) for table in graph.files[name].task.inputs.values())
    ]

    assert ingested(all_at_once) == ingested(one_by_one)
    assert [(each.command, each.all) for each in all_at_once[3:-1]] == [("run", True)]
    assert [each.command for each in one_by_one[3:-1]] == ["run"] * len(answered)
    # Those that `run --all` would find the sources of.
    assert sorted(each.task for each in one_by_one[3:-1]) == sorted(answered)
    assert [each[-1].command for each in (all_at_once, one_by_one)] == ["maintain"] * 2


@pytest.mark.parametrize("target", ASKED)
def test_a_question_that_fails_keeps_nobody_from_maintenance(target: str) -> None:
    for name in ("otklik_all", "otklik_each"):
        pipeline = pipelines(target)[name]
        runs = [step for step in pipeline.steps if arguments(step)[0] == "run"]

        assert pipeline.step("maintain").run_if == "ALL_DONE"
        assert all(step.email_notifications and step.notification_settings for step in runs)


def merged_parts(node: yaml.Node) -> list[yaml.Node]:
    """The mappings that a mapping merges in."""
    assert isinstance(node, yaml.MappingNode)
    merged = [value for key, value in node.value if key.value == "<<"]
    return [part for value in merged for part in (value.value if isinstance(value, yaml.SequenceNode) else [value])]


def keys_of(node: yaml.Node) -> set[str]:
    own = {key.value for key, _ in node.value} - {"<<"}
    return own.union(*(keys_of(part) for part in merged_parts(node)))


def mappings(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        yield node
    for each in node.value if isinstance(node, yaml.CollectionNode) else []:
        for part in each if isinstance(each, tuple) else (each,):
            yield from mappings(part)


def test_merged_parts_never_say_the_same_thing_twice() -> None:
    """Of two that do YAML takes the first and the CLI the last."""
    source = (PROJECT / "databricks.yml").read_text(encoding="utf-8")
    merging = [parts for node in mappings(yaml.compose(source)) if len(parts := merged_parts(node)) > 1]

    assert len(merging) >= 10
    for parts in merging:
        said = [name for part in parts for name in keys_of(part)]
        assert len(said) == len(set(said)), said
    assert not re.search(r"<<: *[&{]", source), "the CLI merges lists and names, no mapping that is written right there"


@pytest.mark.parametrize("step", STEPS)
def test_a_command_line_is_one_that_the_command_takes(step: Step) -> None:
    file = PROJECT / step.spark_python_task.python_file
    given = parser().parse_args(arguments(step))

    assert file.parent == PROJECT / "jobs"
    assert file.is_file()
    assert step.spark_python_task.python_file.startswith("./"), "a path of the bundle, not one of the workspace"
    assert read_properties(HOME.spark_properties(load(Environment, HOME.environment(given.env)).spark))
    assert absolute(given.lake) == given.lake
    assert given.catalog in given.lake


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_where_a_step_runs_is_declared(pipeline: Pipeline) -> None:
    clusters = {each.job_cluster_key for each in pipeline.job_clusters}
    environments = {each.environment_key for each in pipeline.environments}

    assert {step.job_cluster_key for step in pipeline.steps} - {None} == clusters
    assert {step.environment_key for step in pipeline.steps} - {None} == environments
    assert all(each.spec.dependencies == [WHEEL] for each in pipeline.environments)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_key_is_a_secret_and_is_there_where_personal_columns_come_in(pipeline: Pipeline) -> None:
    variables = {each.job_cluster_key: each.new_cluster.spark_env_vars for each in pipeline.job_clusters}
    needing = [
        step
        for step in pipeline.steps
        if (given := parser().parse_args(arguments(step))).command in ("ingest", "reingest")
        and load(Contract, HOME.source(given.source), {}).personal_columns
    ]

    assert needing
    for step in needing:
        assert "OTKLIK_PSEUDONYM_KEY" in variables[step.job_cluster_key or ""]
    open_to_all = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME")
    for name, value in itertools.chain.from_iterable(each.items() for each in variables.values()):
        assert name in open_to_all or re.fullmatch(r"\{\{secrets/[\w-]+/\w+\}\}", value)


def test_what_serverless_refuses_runs_on_a_cluster() -> None:
    """A label of a MERGE and the retention of a VACUUM are properties of the session."""
    steps = pipelines("prod")["otklik_serverless"].steps

    assert {arguments(step)[0] for step in steps if step.environment_key is None} == {"ingest", "maintain"}
    assert all(step.environment_key is None for step in pipelines("prod")["otklik"].steps)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_cluster_has_the_properties_of_the_environment(pipeline: Pipeline) -> None:
    properties = read_properties(HOME.spark_properties("databricks"))

    assert [each.new_cluster.spark_conf for each in pipeline.job_clusters] == [properties] * len(pipeline.job_clusters)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_somebody_is_told_before_time_is_up(pipeline: Pipeline) -> None:
    [rule] = pipeline.health.rules

    assert rule.value < pipeline.timeout_seconds
    assert all(step.timeout_seconds < pipeline.timeout_seconds for step in pipeline.steps)
    assert pipeline.email_notifications.on_failure
    assert pipeline.email_notifications.on_duration_warning_threshold_exceeded


def test_only_one_of_the_jobs_is_scheduled() -> None:
    schedules = {name: each.schedule for name, each in pipelines("prod").items()}

    assert schedules.pop("otklik_reingest") is None
    assert {name: each.pause_status for name, each in schedules.items() if each} == {
        "otklik": None,
        "otklik_serverless": "PAUSED",
        "otklik_all": "PAUSED",
        "otklik_each": "PAUSED",
    }


@pytest.mark.parametrize("pipeline", STEP_BY_STEP)
def test_a_warning_of_the_scores_is_mailed_and_the_report_written_all_the_same(pipeline: Pipeline) -> None:
    score, report = pipeline.step("score"), pipeline.step("report")

    assert score.email_notifications is not None
    assert score.notification_settings == {"alert_on_last_attempt": True}
    assert report.run_if == "AT_LEAST_ONE_SUCCESS"
    assert {each.task_key for each in report.depends_on} == {"train", "score"}


@pytest.mark.parametrize("file", sorted((PROJECT / "jobs").glob("*.py")), ids=lambda file: file.stem)
def test_a_job_knows_its_name_where_its_text_is_run_without_a_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(cli, "run_job", started.append)

    exec(compile(file.read_text(encoding="utf-8"), "<a task>", "exec"), {"__name__": "__main__"})

    assert started == [file.stem]


def test_a_step_that_is_done_does_not_even_exit_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "main", lambda _: 0)

    cli.run_job("score")


@pytest.mark.parametrize("code", [ConfigurationError.exit_code, WARNING_EXIT_CODE])
def test_any_other_code_fails_the_task(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "main", lambda _: code)

    with pytest.raises(SystemExit) as ended:
        cli.run_job("score")
    assert ended.value.code == code


@pytest.fixture
def on_databricks(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs that commands come to, as on a cluster: with the platform's session, and no file written anywhere."""
    jobs: list[Job] = []

    def lent(*_: object, submitted: bool, is_lent: bool, **__: object) -> session.Session:
        assert (submitted, is_lent) == (True, True)
        return session.Session(None, is_ours=False)  # type: ignore[arg-type]

    def held(*_: object, **__: object) -> None:
        pytest.fail("a volume knows no lease")

    def run(job: Job) -> int:
        jobs.append(job)
        return 0

    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "18.2")
    monkeypatch.setattr(session, "start", lent)
    monkeypatch.setattr(lease, "held", held)
    monkeypatch.setattr(cli, "_load", lambda _: run)
    return jobs


@pytest.mark.parametrize("step", STEPS)
def test_what_a_step_is_given_on_databricks(step: Step, on_databricks: list[Job]) -> None:
    assert cli.main(arguments(step)) == 0

    [job] = on_databricks
    assert job.lake.reference("gold.scoreboard") == f"`{job.lake.catalog}`.`gold`.`scoreboard`"
    assert job.lake.folder("models") == f"/Volumes/{job.lake.catalog}/ops/lake/models"
    assert not job.is_alone
    assert job.lease_folder is None
    for path in job.options.names.get("paths", []):
        # Python sees a volume as a folder, the JVM does not.
        assert path.startswith(f"dbfs:///Volumes/{job.lake.catalog}/ops/landing/")


@pytest.mark.parametrize("lake", [[], ["--lake", "/tmp/lake"], ["--lake", "file:///local_disk0/lake"]])
def test_a_lake_that_would_go_with_the_cluster_is_refused(
    lake: list[str], on_databricks: list[Job], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", "bank_full", "--catalog", "otklik", *lake]) == ConfigurationError.exit_code

    assert on_databricks == []
    assert (
        "is on a local disk that is lost when the compute terminates → use a folder in a volume"
        in capsys.readouterr().err
    )


def test_other_files_are_left_to_their_scheme(on_databricks: list[Job]) -> None:
    path = "abfss://files@bank.dfs.core.windows.net/x.csv"
    assert cli.main(["ingest", "contacts", path, "--lake", "/Volumes/c/ops/lake", "--catalog", "c"]) == 0

    assert on_databricks[0].options["paths"] == [path]


@pytest.mark.long
def test_the_wheel_asks_for_no_spark_and_brings_jobs_and_conf(tmp_path: Path) -> None:
    """Built as the bundle builds it, but without a network; installed apart from this environment."""
    build = BUNDLE["artifacts"]["otklik"]["build"].rpartition("&& ")[2]
    assert build == "python3 -m pip wheel --no-deps --wheel-dir dist ."
    copy, place = tmp_path / "project", tmp_path / "installed"
    for folder in ("jobs", "conf", "lib"):
        _copy(PROJECT / folder, copy / folder)
    for name in ("setup.py", "pyproject.toml", "README.md"):
        (copy / name).write_bytes((PROJECT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]

    _run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", "."], copy)
    [wheel] = (copy / "dist").glob("*.whl")
    _run([*pip, "install", "--no-deps", "--no-index", "--target", str(place), str(wheel)], tmp_path)

    with zipfile.ZipFile(wheel) as content:
        [metadata] = [name for name in content.namelist() if name.endswith(".dist-info/METADATA")]
        about = email.message_from_bytes(content.read(metadata))
    needed = [line for line in about.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert len(needed) > 5
    assert [line for line in needed if line.startswith(("pyspark", "delta"))] == []
    travelled = place / "share" / "otklik"
    for folder in ("jobs", "conf"):
        files = {file.relative_to(PROJECT) for file in (PROJECT / folder).rglob("*.*") if file.suffix != ".pyc"}
        assert {file for file in files if not (travelled / file).is_file()} == set()


def _copy(source: Path, target: Path) -> None:
    for file in source.rglob("*"):
        if file.is_file() and file.suffix != ".pyc" and ".egg-info" not in str(file):
            (target / file.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            (target / file.relative_to(source)).write_bytes(file.read_bytes())


def _run(command: list[str], folder: Path) -> None:
    unset = {"PYTHONPATH", "OTKLIK_HOME"}
    ran = subprocess.run(
        command,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in unset},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert ran.returncode == 0, ran.stderr
