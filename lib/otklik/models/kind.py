"""The kind `classify`: yes or no. Its stages are separate commands, so it has its own runner."""

from __future__ import annotations

from otklik.kind import Kind, Stage
from otklik.lake.tables import ACTIONS, FEATURES, PREDICTIONS, SCORES
from otklik.settings import Text
from otklik.task import Task

KIND = Kind(
    name="classify",
    title=Text(en="Yes or no", ru="Да или нет"),
    summary=Text(
        en="Who will respond, leave or buy, and who is worth contacting?",
        ru="Кто откликнется, уйдёт или купит и к кому выгодно обратиться?",
    ),
    task=Task,
    stages=(
        Stage("features", "otklik.steps.features:build_features", (), (FEATURES,)),
        Stage("train", "otklik.steps.train:train_models", (), (PREDICTIONS,)),
        Stage("score", "otklik.steps.score:score_rows", (), (SCORES, ACTIONS)),
    ),
    section="otklik.report.page:render",
    runner="otklik.steps.run:run_yes_or_no",
    reporter="otklik.steps.report:write_report_of",
)
