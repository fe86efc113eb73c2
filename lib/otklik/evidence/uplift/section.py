"""The page of an uplift task: whether targeting pays, whom to contact, and whom not to contact."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import functions as F

from otklik.evidence.uplift.kind import UpliftTask
from otklik.evidence.uplift.learners import RESPONSE
from otklik.kind import Finding, Measure, Reader
from otklik.page.blocks import Block, Cell, Figure, Paragraph, Section, TableBlock, head, heads, number
from otklik.page.figures import Dot, Series, dots, lines
from otklik.page.formats import NOTHING
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice, texts

TEXTS = texts(
    points=("pp", "п. п."),
    answer__gain=("Contact those with the largest uplift", "Обращаться к тем, на кого контакт влияет сильнее"),
    answer__send_to_all=("Contact everybody: targeting adds nothing", "Обращаться ко всем: отбор ничего не даёт"),
    answer__send_to_none=("Contact nobody: the contact does not pay", "Ни к кому не обращаться: контакт не окупается"),
    answer__too_little_data=("Too little data to tell", "Данных слишком мало для вывода"),
    answer__invalid=("The arms cannot be compared", "Группы несопоставимы"),
    answer__effect=(
        "{arm} changes the share with the outcome by {value} [{low} … {high}] on average.",
        "{arm} меняет долю с исходом в среднем на {value} [{low} … {high}].",
    ),
    reason__sorts=(
        "The model ranks units by effect better than chance: Qini coefficient {qini} [{low} … {high}] ({subject}).",
        "Модель упорядочивает единицы по эффекту лучше случайного: коэффициент Qini {qini} [{low} … {high}] "
        "({subject}).",
    ),
    reason__sorts_no_better_than_chance=(
        "The model does not rank units by effect better than chance: Qini coefficient {qini} [{low} … {high}] "
        "({subject}).",
        "Модель упорядочивает единицы по эффекту не лучше случайного: коэффициент Qini {qini} [{low} … {high}] "
        "({subject}).",
    ),
    reason__sorts_but_does_not_pay=(
        "The model ranks units by effect (Qini coefficient {qini} [{low} … {high}], {subject}), but targeting by it "
        "is not shown to earn more than one rule for all.",
        "Модель упорядочивает единицы по эффекту (коэффициент Qini {qini} [{low} … {high}], {subject}), но не "
        "доказано, что список по ней приносит больше, чем одно правило для всех.",
    ),
    reason__pays_beyond_all=(
        "The list earns {gain} [{low} … {high}] per unit more than contacting everybody.",
        "Список приносит на единицу на {gain} [{low} … {high}] больше, чем обращение ко всем.",
    ),
    reason__pays_beyond_none=(
        "The list earns {gain} [{low} … {high}] per unit; contacting everybody would make a loss.",
        "Список приносит {gain} [{low} … {high}] на единицу; обращение ко всем убыточно.",
    ),
    reason__send_to_all=(
        "Contacting everybody with {subject} earns {gain} [{low} … {high}] per unit.",
        "Обращение ко всем ({subject}) приносит {gain} [{low} … {high}] на единицу.",
    ),
    reason__send_to_none=(
        "Contacting everybody with {subject} earns {gain} [{low} … {high}] per unit: a loss.",
        "Обращение ко всем ({subject}) приносит {gain} [{low} … {high}] на единицу: убыток.",
    ),
    reason__no_effect_shown=(
        "{subject} is not shown to earn anything: {gain} [{low} … {high}] per unit.",
        "Не доказано, что {subject} что-либо приносит: {gain} [{low} … {high}] на единицу.",
    ),
    reason__few_outcomes=(
        "{subject}: {yes} of {units} units have the outcome; at least {needed} with it and without it are needed.",
        "{subject}: исход есть у {yes} из {units} единиц; нужно не меньше {needed} с исходом и без него.",
    ),
    reason__broken_split=(
        "Sample ratio mismatch: the arm sizes differ from the plan ({p}). Something removes or adds units in one "
        "of the arms.",
        "Единицы распределены не так, как запланировано ({p}). Что-то убирает или добавляет единицы в одной из групп.",
    ),
    reason__no_overlap=(
        "{share} of the units have a propensity below {least} for one of the arms: there is nothing to compare them "
        "with.",
        "У доли {share} единиц вероятность одной из групп была ниже {least}: сравнить их не с кем.",
    ),
    finding__broken_split=("Sample ratio mismatch ({p}).", "Единицы распределены не по плану ({p})."),
    finding__not_random=(
        "Arms were not randomised. Unobserved differences may explain the effects; a randomised group would show it.",
        "Группы сформированы не случайно. Эффекты может объяснять то, что не наблюдалось; это выявит случайная группа.",
    ),
    measure__qini=("Qini coefficient", "коэффициент Qini"),
    measure__auuc=("AUUC, normalised", "AUUC, нормированная"),
    measure__effect=("effect on all units", "эффект на все единицы"),
    key__qini=("Qini, {arm}", "Qini, {arm}"),
    key__qini_note=("95% {interval}; response model {baseline}", "95 %: {interval}; модель отклика {baseline}"),
    key__effect=("Effect, {arm}", "Эффект, {arm}"),
    key__interval=("95% {interval}", "95 %: {interval}"),
    key__contact=("To contact", "Обратиться"),
    key__contact_note=("of {units} units; {control} held out", "из {units} единиц; отложено в контроль: {control}"),
    key__leave=("Not to contact", "Не обращаться"),
    section__sorting=("How well the model ranks", "Насколько хорошо модель упорядочивает"),
    curve__title=("Incremental outcomes, best first: {arm}", "Исходы, вызванные контактом с лучшими: {arm}"),
    curve__takeaway=(
        "The higher above the straight line, the more of the effect comes from fewer contacts. A response model ranks "
        "by the probability of the outcome, not by its change.",
        "Чем выше над прямой, тем больше эффекта дают немногие контакты. Модель отклика упорядочивает по вероятности "
        "исхода, а не по её изменению.",
    ),
    curve__x=("share contacted", "доля охваченных"),
    curve__y=("incremental outcomes per unit", "вызванных исходов на единицу"),
    curve__chance=("at random", "случайно"),
    curve__response=("response model", "модель отклика"),
    deciles__title=("Effect by decile: {arm}", "Эффект по децилям: {arm}"),
    deciles__takeaway=(
        "From the largest predicted effect to the smallest. Filled: observed, with 95% interval; hollow: predicted.",
        "От наибольшего предсказанного эффекта к наименьшему. Закрашено: факт с интервалом 95 %; полые: прогноз.",
    ),
    deciles__seen=("observed", "факт"),
    deciles__expected=("predicted", "прогноз"),
    deciles__label=("decile {n}", "дециль {n}"),
    learners__table=("All learners", "Все методы"),
    learners__note=(
        "0 is chance, 1 the perfect order. The deciding learner was fixed in advance; the others are shown for "
        "comparison. The best is not selected afterwards, because it would look better than it is.",
        "0 — случайный порядок, 1 — идеальный. Решающий метод задан заранее; остальные приведены для сравнения, "
        "лучший из них не выбирается: он выглядел бы лучше, чем есть.",
    ),
    column__arm=("Arm", "Группа"),
    column__learner=("Learner", "Метод"),
    column__qini=("Qini", "Qini"),
    column__auuc=("AUUC", "AUUC"),
    column__policy=("Rule", "Правило"),
    column__contacted=("Contacted", "Охвачено"),
    column__value=("Earns per unit", "Приносит на единицу"),
    column__ipw=("By weighting alone", "Только взвешиванием"),
    column__better=("List earns more by", "Список лучше на"),
    learner__t=("two models", "две модели"),
    learner__s=("one model with interactions", "одна модель с взаимодействиями"),
    learner__x=("X-learner", "X-learner"),
    learner__dr=("doubly robust", "дважды робастный"),
    learner__class=("transformed outcome", "преобразованный исход"),
    learner__response=("response model", "модель отклика"),
    section__policies=("Value of each rule", "Что принесло бы каждое правило"),
    policies__lead=(
        "Compared with contacting nobody, {unit}; doubly robust estimate with 95% interval.",
        "По сравнению с тем, чтобы не обращаться ни к кому, {unit}; дважды робастная оценка (doubly robust) и интервал "
        "95 %.",
    ),
    policies__money=("in {currency} at {value} per outcome", "в {currency} при ценности исхода {value}"),
    policies__outcomes=("in outcomes, as contacts cost nothing here", "в исходах: контакты здесь ничего не стоят"),
    policy__list=("this list", "этот список"),
    policy__response=("list by a response model", "список по модели отклика"),
    policy__all=("everybody: {arm}", "всем: {arm}"),
    section__alone=("Whom not to contact", "К кому не обращаться"),
    alone__none=(
        "{arm}: the model predicts no negative effect for anybody.",
        "{arm}: отрицательного эффекта модель не ожидает ни у кого.",
    ),
    alone__shown=(
        "{arm}: for {units} units the model predicts a negative effect, and the observed effect on them is negative: "
        "{value} [{low} … {high}]. Contacting them does harm.",
        "{arm}: у {units} единиц модель ожидает отрицательный эффект, и он у них действительно отрицателен: {value} "
        "[{low} … {high}]. Контакт с ними вредит.",
    ),
    alone__open=(
        "{arm}: for {units} units the model predicts a negative effect. The observed effect on them is {value} [{low} "
        "… {high}]: harm is not shown.",
        "{arm}: у {units} единиц модель ожидает отрицательный эффект. Наблюдалось у них {value} [{low} … "
        "{high}]: вред от "
        "контакта не доказан.",
    ),
)


def section(read: Reader, task: UpliftTask, voice: Voice) -> Page:
    """The page of an uplift task.

    Args:
        read: what the run wrote.
        task: the settings.
        voice: the language.
    """
    page = _Page(read, task, voice)
    return Page(task.title[voice.language], task.question[voice.language], page.answer(), page.sections())


class _Page:
    """What all parts of the page use."""

    def __init__(self, read: Reader, task: UpliftTask, voice: Voice) -> None:
        self.read, self.task, self.voice = read, task, voice
        self.words, self.formats = voice.words, voice.formats
        self.policies = read.table("policies").toPandas()
        self.actions = dict(read.table("list").groupBy("action").agg(F.count("*")).toPandas().to_numpy().tolist())

    def points(self, value: float | None, *, has_unit: bool = True) -> str:
        """A change of a share."""
        if value is None or not np.isfinite(value):
            return NOTHING
        text = self.formats.decimal(100 * value, 2)
        return f"{text}\u00a0{self.words('points')}" if has_unit else text

    def said(self, finding: Finding) -> str:
        """A reason in words, numbers with as many digits as they need."""
        values: dict[str, object] = {}
        is_money = "gain" in finding.parameters
        for name, value in finding.parameters.items():
            if name == "p":
                values[name] = self.formats.p_equation(float(value))
            elif isinstance(value, str):
                values[name] = value
            elif isinstance(value, int):
                values[name] = self.formats.integer(value)
            elif name in ("share", "least"):
                values[name] = self.formats.percent(value)
            else:
                values[name] = self.formats.decimal(value, 4 if is_money else 3)
        if is_money and self.task.payoff is not None:
            values["gain"] = f"{values['gain']}\u00a0{self.task.payoff.currency[self.voice.language]}".rstrip()
        arm, mark, learner = finding.subject.rpartition(": ")
        subject = f"{arm}, {self.words(f'learner.{learner}')}" if mark else finding.subject
        return self.words(f"reason.{finding.code}", subject=subject, **values)

    def effects(self) -> Iterator[tuple[str, Measure]]:
        """Each arm with its effect on all units; none without conclusions."""
        for arm in self.task.others:
            measure = self.read.measure("effect", arm)
            if measure is not None:
                yield arm, measure

    def answer(self) -> Answer:
        """The verdict, why, and the key figures."""
        verdict = self.read.verdict
        codes = [reason.code for reason in verdict.reasons]
        rule = next((code for code in codes if code in ("send_to_all", "send_to_none")), verdict.verdict)
        sentences = [self._interval("answer.effect", arm, measure) for arm, measure in self.effects()]
        sentences += [self.said(reason) for reason in verdict.reasons]
        warnings = [self.voice.told(finding) for finding in self.read.findings if finding.is_warning]
        return Answer(verdict.verdict, self.words(f"answer.{rule}"), sentences, list(self._figures()), warnings)

    def _figures(self) -> Iterator[KeyFigure]:
        words, formats = self.words, self.formats
        for arm, effect in self.effects():
            qini = self.read.measure("qini", f"{arm}: {self.task.decide_by}")
            if qini is not None:
                interval = formats.interval(qini.low, qini.high, lambda x: formats.decimal(x, 3))
                note = words("key.qini_note", interval=interval, baseline=formats.decimal(qini.baseline, 3))
                yield KeyFigure(words("key.qini", arm=arm), formats.decimal(qini.value, 3), note)
            ends = formats.interval(effect.low, effect.high, lambda x: self.points(x, has_unit=False))
            yield KeyFigure(
                words("key.effect", arm=arm), self.points(effect.value), words("key.interval", interval=ends)
            )
        if self.actions:
            control, units = self.actions.get("control", 0), sum(self.actions.values())
            note = words("key.contact_note", units=formats.integer(units), control=formats.integer(control))
            yield KeyFigure(words("key.contact"), formats.integer(self.actions.get("contact", 0)), note)
            yield KeyFigure(words("key.leave"), formats.integer(self.actions.get("leave", 0)))

    def _interval(self, key: str, arm: str, measure: Measure, **more: str) -> str:
        """A sentence with an effect and its interval."""
        low, high = (self.points(end, has_unit=False) for end in (measure.low, measure.high))
        return self.words(key, arm=arm, value=self.points(measure.value), low=low, high=high, **more)

    def sections(self) -> list[Section]:
        """The sections below the answer; empty without conclusions."""
        if self.policies.empty:
            return []
        return [self._sorting(), self._policies(), self._alone()]

    def _sorting(self) -> Section:
        curves = self.read.table("curves").toPandas()
        deciles = self.read.table("deciles").toPandas().sort_values("decile")
        blocks: list[Block] = []
        for place, arm in enumerate(self.task.others):
            blocks.append(self._curve(curves[curves["arm"] == arm], arm, place))
            blocks.append(self._deciles(deciles[deciles["arm"] == arm], arm, place))
        return Section("sorting", self.words("section.sorting"), [*blocks, self._learners()])

    def _curve(self, points: pd.DataFrame, arm: str, place: int) -> Figure:
        words = self.words

        def line(score: str) -> tuple[np.ndarray, np.ndarray]:
            rows = points[points["score"] == score].sort_values("share")
            return rows["share"].to_numpy(dtype=float), rows["gain"].to_numpy(dtype=float)

        x, gain = line(self.task.decide_by)
        series = [
            Series(words("curve.chance"), x[[0, -1]], gain[[0, -1]], role="baseline"),
            Series(words("curve.response"), *line(RESPONSE)),
            Series(words(f"learner.{self.task.decide_by}"), x, gain, role="main"),
        ]
        title, takeaway = words("curve.title", arm=arm), words("curve.takeaway")
        picture = lines(
            f"curve-{place}", series, f"{title}. {takeaway}",
            (lambda value: self.formats.percent(value, 0), self.formats.short),
            (words("curve.x"), words("curve.y")),
        )  # fmt: skip
        return Figure(title, takeaway, picture)

    def _deciles(self, rows: pd.DataFrame, arm: str, place: int) -> Figure:
        words = self.words
        points = [
            Dot(
                words("deciles.label", n=row["decile"]), row["effect"], row["low"], row["high"], row["expected"],
                self.points(row["effect"]),
            )
            for row in rows.to_dict("records")
        ]  # fmt: skip
        title, takeaway = words("deciles.title", arm=arm), words("deciles.takeaway")
        picture = dots(
            f"deciles-{place}", points, f"{title}. {takeaway}", self.points,
            words=(words("deciles.seen"), words("deciles.expected")),
        )  # fmt: skip
        return Figure(title, takeaway, picture)

    def _learners(self) -> TableBlock:
        words, formats = self.words, self.formats
        rows: list[list[Cell]] = []
        emphasised = set()
        for arm in self.task.others:
            naive: dict[str, float | None] = {}
            for learner in self.task.learners:
                cells = []
                for name in ("qini", "auuc"):
                    measure = self.read.measure(name, f"{arm}: {learner}")
                    if measure is not None:
                        interval = formats.interval(measure.low, measure.high, lambda x: formats.decimal(x, 3))
                        cells.append(number(formats.decimal(measure.value, 3), interval))
                        naive[name] = measure.baseline
                if learner == self.task.decide_by:
                    emphasised.add(len(rows))
                rows.append([head(words(f"learner.{learner}")), Cell(arm), *cells])
            naive_cells = [number(formats.decimal(naive.get(name), 3)) for name in ("qini", "auuc")]
            rows.append([head(words("learner.response")), Cell(arm), *naive_cells])
        titles = heads(*(words(f"column.{name}") for name in ("learner", "arm", "qini", "auuc")), numbers_from=2)
        return TableBlock(
            words("learners.table"), titles, rows, note=words("learners.note"), emphasised=frozenset(emphasised)
        )

    def _policies(self) -> Section:
        words, formats, payoff = self.words, self.formats, self.task.payoff
        unit = words("policies.outcomes")
        if payoff is not None:
            currency = payoff.currency[self.voice.language]
            unit = words("policies.money", currency=currency, value=formats.money(payoff.value))

        def estimate(row: Mapping[Hashable, Any], value: str, low: str, high: str) -> Cell:
            interval = formats.interval(row[low], row[high], lambda x: formats.decimal(x, 4))
            return number(formats.decimal(row[value], 4), interval)

        rows = []
        for row in self.policies.sort_values("value", ascending=False).to_dict("records"):
            name = str(row["policy"])
            arm = name.removeprefix("all ")
            title = words("policy.all", arm=arm) if name != arm else words(f"policy.{name}")
            better = (
                Cell(NOTHING, "number")
                if name == "list"
                else estimate(row, "list_better_by", "better_low", "better_high")
            )
            rows.append(
                [
                    head(title), number(formats.percent(row["contacted"])), estimate(row, "value", "low", "high"),
                    number(formats.decimal(row["value_ipw"], 4)), better,
                ]
            )  # fmt: skip
        titles = heads(*(words(f"column.{name}") for name in ("policy", "contacted", "value", "ipw", "better")))
        lead = Paragraph(words("policies.lead", unit=unit))
        return Section(
            "policies", words("section.policies"), [lead, TableBlock(words("section.policies"), titles, rows)]
        )

    def _alone(self) -> Section:
        blocks = []
        for arm in self.task.others:
            found = self.read.measure("effect_where_negative", arm)
            if found is None or found.rows is None:
                blocks.append(Paragraph(self.words("alone.none", arm=arm)))
                continue
            key = "alone.shown" if found.high is not None and found.high < 0 else "alone.open"
            blocks.append(Paragraph(self._interval(key, arm, found, units=self.formats.integer(found.rows))))
        return Section("alone", self.words("section.alone"), blocks)
