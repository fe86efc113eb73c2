"""The page of a multiclass task: how often the model is right, for which classes, and which classes it confuses."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import pandas as pd

from otklik.insights.multiclass.kind import MulticlassTask
from otklik.insights.multiclass.texts import TEXTS
from otklik.kind import Measure, Reader
from otklik.page import figures
from otklik.page.blocks import Block, Figure, Paragraph, Section, TableBlock, head, heads, number
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice

#: Target accuracy in the sentence about abstention.
_SURE = 0.9


__all__ = ["TEXTS", "section"]


def section(read: Reader, task: MulticlassTask, voice: Voice) -> Page:
    """The page of a multiclass task."""
    confusion = read.table("confusion").toPandas()
    parts: list[tuple[str, list[Block]]] = [
        ("models", _models(read, task, voice)),
        ("classes", _classes(read, task, voice, confusion)),
        ("confusion", _confusion(read, task, voice, confusion)),
        ("abstention", _abstention(read, voice)),
        ("reading", _reading(task, voice)),
    ]
    return Page(
        task.title[voice.language],
        task.question[voice.language],
        _answer(read, voice),
        [Section(anchor, voice.words(f"section.{anchor}"), blocks) for anchor, blocks in parts if blocks],
    )


def _key(read: Reader) -> Measure:
    """Macro-F1 of the model that assigns new customers; its subject is the model."""
    return cast(Measure, read.verdict.key)


def _measure(read: Reader, name: str, subject: str) -> Measure:
    return cast(Measure, read.measure(name, subject, "test"))


def _class(name: str, task: MulticlassTask, voice: Voice) -> str:
    title = task.class_titles.get(name)
    return name if title is None else title[voice.language]


def _answer(read: Reader, voice: Voice) -> Answer:
    words, formats, key = voice.words, voice.formats, _key(read)
    accuracy = {
        who: formats.percent(_measure(read, "accuracy", who).value)
        for who in (key.subject, "majority", "nearest_centroid")
    }
    sentences = [
        words(
            "answer.accuracy", own=accuracy[key.subject], n=formats.integer(key.rows), majority=accuracy["majority"],
            centroid=accuracy["nearest_centroid"],
        ),
        *(voice.told(reason, "reason") for reason in read.verdict.reasons),
    ]  # fmt: skip
    curve = read.table("abstention").toPandas()
    sure = curve[curve["accuracy"] >= _SURE].sort_values("coverage")
    if not sure.empty and sure.iloc[-1]["coverage"] < 1:
        row = sure.iloc[-1]
        sentences.append(
            words(
                "answer.abstain", threshold=formats.percent(float(row["threshold"]), 0),
                coverage=formats.percent(float(row["coverage"])), accuracy=formats.percent(float(row["accuracy"])),
            )
        )  # fmt: skip
    new = read.table("predictions").where("is_new").count()
    if new:
        sentences.append(words("answer.new", n=formats.integer(new)))
    if read.verdict.verdict == "no_gain":
        sentences = [sentences[1], sentences[0], *sentences[2:]]
    return Answer(read.verdict.verdict, words(f"verdict.{read.verdict.verdict}"), sentences, _key_figures(read, voice))


def _key_figures(read: Reader, voice: Voice) -> list[KeyFigure]:
    words, formats, key = voice.words, voice.formats, _key(read)
    accuracy, log_loss = _measure(read, "accuracy", key.subject), _measure(read, "log_loss", key.subject)
    classes = int((read.measures["measure"] == "f1").sum())
    return [
        KeyFigure(
            words("measure.macro_f1"), formats.decimal(key.value),
            words("figure.macro_f1_note", interval=formats.interval(key.low, key.high, formats.decimal),
                  rule=formats.decimal(key.baseline)),
        ),
        KeyFigure(
            words("figure.accuracy"), formats.percent(accuracy.value),
            words("figure.accuracy_note", interval=formats.percent_interval(accuracy.low, accuracy.high),
                  rule=formats.percent(accuracy.baseline)),
        ),
        KeyFigure(
            words("figure.log_loss"), formats.decimal(log_loss.value),
            words("figure.log_loss_note", shares=formats.decimal(log_loss.baseline)),
        ),
        KeyFigure(
            words("figure.classes"), formats.integer(classes),
            words("figure.classes_note", n=formats.integer(key.rows)),
        ),
    ]  # fmt: skip


def _models(read: Reader, task: MulticlassTask, voice: Voice) -> list[Block]:
    words, formats, best = voice.words, voice.formats, _key(read).subject
    shown, rows = [], []
    for who in (*task.models, "nearest_centroid", "majority"):
        macro, accuracy = _measure(read, "macro_f1", who), _measure(read, "accuracy", who)
        title = words(f"model.{who}")
        shown.append(
            figures.Dot(
                title, macro.value or 0.0, math.nan if macro.low is None else macro.low,
                math.nan if macro.high is None else macro.high, text=formats.decimal(macro.value),
                is_emphasised=who == best,
            )
        )  # fmt: skip
        losses = [read.measure(name, who, "test") for name in ("log_loss", "log_loss_raw", "brier")]
        rows.append(
            [
                head(title),
                number(voice.estimate(macro.value, macro.low, macro.high)),
                number(voice.estimate(accuracy.value, accuracy.low, accuracy.high)),
                *(number(formats.decimal(None if one is None else one.value)) for one in losses),
            ]
        )
    keys = ("models.model", "measure.macro_f1", "models.accuracy", "models.log_loss", "models.raw", "models.brier")
    title = words("models.title")
    takeaway = words("models.takeaway", best=words(f"model.{best}"))
    picture = figures.dots("models", shown, title, formats.short)
    return [
        Figure(title, takeaway, picture),
        TableBlock(words("models.caption"), heads(*(words(key) for key in keys)), rows),
    ]


def _classes(read: Reader, task: MulticlassTask, voice: Voice, confusion: pd.DataFrame) -> list[Block]:
    words, formats = voice.words, voice.formats
    own = confusion[confusion["model"] == _key(read).subject]
    right = own[own["class"] == own["predicted"]].set_index("class")["customers"]
    given, named = own.groupby("class")["customers"].sum(), own.groupby("predicted")["customers"].sum()
    shown, rows = [], []
    of_class = read.measures[read.measures["measure"] == "f1"].sort_values("value", ascending=False)
    for one in of_class.to_dict("records"):
        name, title = one["subject"], _class(one["subject"], task, voice)
        shown.append(
            figures.Dot(title, one["value"], one["low"], one["high"], one["baseline"], formats.decimal(one["value"], 2))
        )
        hits = int(right.get(name, 0))
        rows.append(
            [
                head(title),
                number(formats.integer(given.get(name, 0))),
                number(formats.percent(hits / named[name] if name in named else None)),
                number(formats.percent(hits / given[name] if name in given else None)),
                number(voice.estimate(one["value"], one["low"], one["high"])),
                number(formats.decimal(one["baseline"])),
            ]
        )
    title = words("classes.title")
    takeaway = words("classes.takeaway", best=shown[0].label, worst=shown[-1].label)
    picture = figures.dots(
        "classes", shown, title, formats.short, words=(words("classes.own"), words("classes.rule"))
    )  # fmt: skip
    columns = [words(f"classes.{key}") for key in ("class", "customers", "precision", "recall")]
    return [
        Figure(title, takeaway, picture),
        TableBlock(words("classes.caption"), heads(*columns, "F1", words("classes.rule")), rows),
    ]


def _confusion(read: Reader, task: MulticlassTask, voice: Voice, confusion: pd.DataFrame) -> list[Block]:
    words, formats = voice.words, voice.formats
    own = confusion[confusion["model"] == _key(read).subject]
    names = own.groupby("class")["customers"].sum().sort_values(ascending=False, kind="stable").index
    counts = own.pivot_table("customers", "class", "predicted", fill_value=0).reindex(
        index=names, columns=names, fill_value=0
    )
    shares = counts.div(counts.sum(axis=1), axis=0).to_numpy(dtype=np.float64)
    titles = [_class(str(name), task, voice) for name in names]
    wrong = np.where(np.eye(len(names), dtype=bool), 0.0, shares)
    row, column = np.unravel_index(wrong.argmax(), wrong.shape)
    takeaway = words("confusion.none")
    if wrong[row, column] > 0:
        takeaway = words(
            "confusion.takeaway", own=titles[row], predicted=titles[column], share=formats.percent(wrong[row, column])
        )
    title = words("confusion.title")
    picture = figures.heat_map(
        "confusion", np.where(shares > 0, shares, math.nan), (titles, titles), title,
        lambda x: formats.integer(100 * x), words=(words("confusion.own"), words("confusion.predicted")),
    )  # fmt: skip
    return [Figure(title, takeaway, picture)]


def _abstention(read: Reader, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    curve = read.table("abstention").toPandas().sort_values("coverage")
    if len(curve) < 2:
        return []
    x = curve["coverage"].to_numpy()
    series = [
        figures.Series(words("abstention.expected"), x, curve["expected"].to_numpy(), role="baseline"),
        figures.Series(words("abstention.accuracy"), x, curve["accuracy"].to_numpy(), role="main"),
    ]

    def percent(share: float) -> str:
        return formats.percent(share, 0)

    title = words("abstention.title")
    picture = figures.lines(
        "abstention", series, title, (percent, percent), (words("abstention.coverage"), words("abstention.accuracy"))
    )
    return [Figure(title, words("abstention.takeaway"), picture)]


def _reading(task: MulticlassTask, voice: Voice) -> list[Block]:
    words, formats = voice.words, voice.formats
    way = (
        words("reading.folds", folds=task.split.folds)
        if task.split.way == "folds"
        else words("reading.time", share=formats.percent(task.split.test_share, 0))
    )
    intervals = words("reading.intervals", replicates=formats.integer(task.bootstrap_replicates))
    return [Paragraph(text, "note") for text in (way, words("reading.f1"), intervals)]
