"""A draft of a yes-or-no task: a quick first answer under a separate name. Imports no Spark.

It is a separate task: its tables, page and models are named `<task>_draft`, so they cannot be mistaken for the answer,
and none of its models can serve the task.
"""

from __future__ import annotations

from typing import Any

from otklik.errors import ConfigurationError
from otklik.settings import Text
from otklik.steps.task_files import TaskFile
from otklik.task import ModelSettings, Task

#: Suffix of its name.
DRAFT = "_draft"
#: Approximate maximum number of rows; either all or none of a customer's rows are sampled.
DRAFT_ROWS = 20_000
_FOLDS, _GROUPS, _WINDOWS, _TREES, _DEPTH = 4, 2, 2, 20, 6


def check_draft(file: TaskFile) -> None:
    """Check that a task can have a draft.

    Raises:
        ConfigurationError: if it is of another kind than classify.
    """
    if not isinstance(file.task, Task):
        raise ConfigurationError(
            f"tasks of kind {file.kind.name} have no draft", where="--draft", hint="run it without --draft"
        )


def draft_of(task: Task) -> Task:
    """The settings of the draft: three models with one setting each, fewer folds, only what the verdict needs."""
    models = {
        "logistic_regression": _first(task.models.logistic_regression),
        "decision_tree": _first(task.models.decision_tree),
        "random_forest": _first(task.models.random_forest, _TREES, _DEPTH),
        "naive_bayes": None,
        "linear_svc": None,
    }
    title = {"en": f"Draft: {task.title.en}", "ru": f"Черновик: {task.title.ru}"}
    caveat = Text(
        en="This is a draft: at most some 20,000 rows, fewer models, settings and folds, intervals only where "
        f"the verdict needs them. `otklik run {task.name}` gives the answer.",
        ru="Это черновик: не больше примерно 20 000 строк, меньше моделей, настроек и частей, интервалы только там, "
        f"где они нужны для вывода. Ответ даёт `otklik run {task.name}`.",
    )
    splits = {"folds": _FOLDS, "groups": _GROUPS, "time_windows": min(_WINDOWS, task.splits.time_windows)}
    evaluation = {"odds_ratio_replicates": 0, "with_leaks": False, "intervals": "verdict"}
    return task.model_copy(
        update={
            "name": f"{task.name}{DRAFT}",
            "title": task.title.model_copy(update=title),
            "rows": task.rows.model_copy(update={"caveats": [caveat, *task.rows.caveats]}),
            "models": task.models.model_copy(update=models),
            "splits": task.splits.model_copy(update=splits),
            "evaluation": task.evaluation.model_copy(update=evaluation),
        }
    )


def _first(settings: ModelSettings | None, most_trees: int | None = None, most_depth: int = 30) -> ModelSettings | None:
    """The first of the values to try, with forests limited to the size for drafts."""
    if settings is None:
        return None
    tried = {name: value[:1] for name, value in settings if isinstance(value, list)}
    smaller: dict[str, Any] = {}
    if most_trees is not None:
        smaller = {
            "trees": [min(settings.trees[0], most_trees)],
            "max_depth": [min(settings.max_depth[0], most_depth)],
        }
    return settings.model_copy(update=tried | smaller)
