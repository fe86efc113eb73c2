"""The page of an experiment: which arm is better, by how much, and how certain that is."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from otklik.evidence.experiment.kind import ExperimentTask
from otklik.kind import Finding, Reader
from otklik.page.blocks import Block, Cell, Figure, Paragraph, Section, TableBlock, head, heads, number
from otklik.page.figures import Dot, Series, dots, lines
from otklik.page.formats import NOTHING, is_number
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice, texts

TEXTS = texts(
    points=("pp", "п. п."),
    answer__gain=("{arm}: worth introducing", "{arm}: стоит внедрить"),
    answer__several=("Several arms are better than the control: {arms}", "Лучше контрольной несколько групп: {arms}"),
    answer__no_gain=("No arm is worth introducing", "Ни одну группу внедрять не стоит"),
    answer__too_little_data=("Too little data to tell", "Данных слишком мало для вывода"),
    answer__invalid=(
        "Sample ratio mismatch: no conclusion is possible",
        "Размеры групп не соответствуют плану: выводов сделать нельзя",
    ),
    reason__better=(
        "{arm} changes “{subject}” by {effect} [{low} … {high}], from {control} in the control group.",
        "{arm} меняет «{subject}» на {effect} [{low} … {high}]; в контрольной группе {control}.",
    ),
    reason__worse=(
        "{arm} makes “{subject}” worse: by {effect} [{low} … {high}], from {control} in the control group.",
        "{arm} ухудшает «{subject}» на {effect} [{low} … {high}]; в контрольной группе {control}.",
    ),
    reason__harmed=(
        "{arm} harms the guardrail “{subject}”: {effect} [{low} … {high}], from {control} in the control group.",
        "{arm} ухудшает ограничивающий показатель «{subject}»: {effect} [{low} … {high}]; в контрольной группе "
        "{control}.",
    ),
    reason__nothing_shown=(
        "No effect on “{subject}” is shown. With this many units an effect of {least} or more would be detected.",
        "Эффект на «{subject}» не обнаружен. Столько единиц выявили бы эффект от {least} и больше.",
    ),
    reason__below_worth=(
        "An effect on “{subject}” that is worth having ({worth}) can be ruled out: at best it is {best}.",
        "Заслуживающий внимания эффект на «{subject}» ({worth}) исключён: в лучшем случае он равен {best}.",
    ),
    reason__undecided=(
        "An effect on “{subject}” worth having ({worth}) is neither shown nor ruled out: that takes {needed} units in "
        "the two arms, and there are {units}.",
        "Заслуживающий внимания эффект на «{subject}» ({worth}) не доказан и не исключён: в двух группах нужно "
        "единиц: {needed}, а есть {units}.",
    ),
    reason__thin=(
        "Too few units differ in “{subject}” to compare the arms.",
        "Слишком мало единиц с отличающимся значением «{subject}», чтобы сравнить группы.",
    ),
    reason__few_units=(
        "The smallest arm has {units} units; at least {needed} are needed.",
        "В наименьшей группе единиц: {units}, а нужно не меньше {needed}.",
    ),
    reason__broken_split=(
        "Sample ratio mismatch: the arm sizes differ from the plan ({p}). Something removes or adds units in one "
        "of the arms, so the arms cannot be compared. Find the cause, then run the experiment again.",
        "Единицы распределены не так, как запланировано ({p}). Что-то убирает или добавляет единицы в одной из "
        "групп, поэтому сравнивать группы нельзя. Найдите причину и повторите эксперимент.",
    ),
    finding__missing=(
        "“{subject}” has no value for {units} units. In a covariate it is replaced by the mean; a metric excludes "
        "these units.",
        "Нет значения «{subject}» у единиц: {units}. Ковариата заполняется средним, для показателя они не учитываются.",
    ),
    finding__missing_differs=(
        "“{subject}” has no value for {units} units, and the arms differ in this: its effect may be due to that alone.",
        "Нет значения «{subject}» у единиц: {units}, причём в группах по-разному: эффект может объясняться "
        "только этим.",
    ),
    finding__covariate_differs=(
        "The covariate “{subject}” differs between {arm} and the control: if the experiment has changed it, "
        "CUPED hides "
        "part of the effect. Covariates must be from before the experiment.",
        "Ковариата «{subject}» в группе {arm} не такая, как в контрольной: если её изменил эксперимент, CUPED скрывает "
        "часть эффекта. Ковариаты должны относиться ко времени до эксперимента.",
    ),
    finding__thin_share=(
        "“{subject}”, {arm}: fewer than {least} units with yes or with no in an arm; no conclusion is drawn.",
        "«{subject}», {arm}: в одной из групп меньше {least} единиц с «да» или с «нет»; вывод не делается.",
    ),
    finding__no_spread=(
        "“{subject}”, {arm}: the value is the same for all units, or the denominator is zero; no conclusion is drawn.",
        "«{subject}», {arm}: значение у всех единиц одинаково или знаменатель равен нулю; вывод не делается.",
    ),
    answer__also=("It also improves: {metrics}.", "Также улучшаются: {metrics}."),
    split__even=(
        "{units} units; the arm sizes are as planned (sample ratio test: {p}).",
        "Единиц: {units}; они распределены, как запланировано (проверка соотношения групп: {p}).",
    ),
    key__effect=("{metric}, {arm}", "{metric}, {arm}"),
    key__interval=("95% interval {interval}", "интервал 95 %: {interval}"),
    key__confidence=("{confidence} interval {interval}", "интервал {confidence}: {interval}"),
    key__units=("Units", "Единиц"),
    key__arms=("in {count} arms", "групп: {count}"),
    key__split=("Split", "Разбиение"),
    key__split_p=("p of the sample ratio test", "p проверки соотношения групп"),
    section__effects=("What each arm changed", "Что изменила каждая группа"),
    effects__title=("Effect on “{metric}”", "Эффект на «{metric}»"),
    effects__takeaway=(
        "Difference from the control group ({control}). An interval that excludes 0 is an effect.",
        "Разница с контрольной группой ({control}). Если интервал не касается нуля, эффект есть.",
    ),
    effects__zero=("no effect", "нет эффекта"),
    effects__table=("All metrics", "Все показатели"),
    effects__note=(
        "q: p after Benjamini-Hochberg over all goals and arms, so that at most {alpha} of the reported effects are "
        "expected to be false. Guardrails are assessed by their interval. Always-valid: holds however often you look.",
        "q: p с поправкой Бенджамини — Хохберга по всем целям и группам: среди объявленных эффектов не больше {alpha} "
        "случайных. Ограничивающие показатели оцениваются по интервалу. «При любом числе просмотров»: интервал верен, "
        "сколько бы раз на него ни смотрели.",
    ),
    column__metric=("Metric", "Показатель"),
    column__arm=("Arm", "Группа"),
    column__control=("Control", "Контроль"),
    column__value=("Arm's value", "В группе"),
    column__effect=("Effect", "Эффект"),
    column__lift=("Relative", "Относительно"),
    column__q=("q", "q"),
    column__p=("p", "p"),
    column__always=("Always-valid", "При любом числе просмотров"),
    column__status=("Conclusion", "Вывод"),
    column__units=("Units", "Единиц"),
    column__share=("Share", "Доля"),
    column__planned=("Planned", "План"),
    column__level=("Level", "Уровень"),
    column__reduction=("Variance removed", "Дисперсии снято"),
    column__estimate=("Estimate", "Оценка"),
    column__worth=("Worth having", "Заслуживает внимания"),
    column__needed=("Units needed", "Нужно единиц"),
    column__detectable=("Detectable", "Выявляется при таком числе"),
    column__days=("Days", "Дней"),
    status__better=("better", "лучше"),
    status__worse=("worse", "хуже"),
    status__open=("not shown", "не доказано"),
    status__thin=("too few", "мало данных"),
    status__safe=("not harmed", "не ухудшен"),
    status__harmed=("harmed", "ухудшен"),
    role__guardrail=("guardrail", "ограничивающий"),
    estimate__cuped=("CUPED", "CUPED"),
    estimate__winsorised=("winsorised", "с усечением хвоста"),
    estimate__plain=("plain", "обычная"),
    section__precise=("The same effects, estimated more precisely", "Те же эффекты, оценённые точнее"),
    precise__cuped=(
        "CUPED removes the variance of a metric that {covariates} from before the experiment explain: here at most "
        "{most}. The same gain would take a corresponding increase in units.",
        "CUPED убирает дисперсию показателя, которую объясняют {covariates} до эксперимента: здесь не более {most}. "
        "Тот же выигрыш дало бы такое же увеличение числа единиц.",
    ),
    precise__winsorised=(
        "Winsorised: revenue above the {quantile} quantile of positive values is capped at it, so that a few large "
        "orders do not decide the outcome. The raw effect is the one in money.",
        "С усечением: выручка выше квантиля {quantile} положительных значений ограничена им, чтобы несколько крупных "
        "заказов не решали исход. В деньгах выражен эффект без усечения.",
    ),
    section__looks=("Day by day", "День за днём"),
    looks__title=("{metric}, {arm}", "{metric}, {arm}"),
    looks__takeaway=(
        "The effect so far, with the always-valid interval: if you stop when it excludes 0, you are wrong in at most "
        "{alpha} of experiments without an effect.",
        "Накопленный эффект со всегда действительным (anytime-valid) интервалом: если остановить эксперимент, как "
        "только он не содержит нуля, ошибка будет не более чем в {alpha} экспериментов без эффекта.",
    ),
    looks__days=("day", "день"),
    section__subgroups=("Subgroups: hypotheses only", "Подгруппы: только гипотезы"),
    subgroups__note=(
        "Assignment was not by subgroup, and many comparisons find something by chance. A difference here is a "
        "hypothesis for the next experiment, not a result of this one. p: test that all levels have the same effect.",
        "Распределение шло не по подгруппам, а при множестве сравнений что-нибудь найдётся случайно. Различие здесь — "
        "гипотеза для следующего эксперимента, а не результат этого. p: эффект на всех уровнях одинаков.",
    ),
    subgroups__title=("{dimension}, {arm}", "{dimension}, {arm}"),
    subgroups__takeaway=("Effect on “{metric}” by level; {p}.", "Эффект на «{metric}» по уровням; {p}."),
    subgroups__whole=("all units", "все единицы"),
    section__plan=("For the next experiment", "Для следующего эксперимента"),
    plan__note=(
        "Both arms together, for a power of {power} at alpha = {alpha}, from the spread seen here. “Detectable”: "
        "the smallest effect that as many units as in this experiment can detect.",
        "По двум группам вместе, при мощности {power} и alpha = {alpha}, по наблюдавшемуся здесь разбросу. "
        "«Выявляется при таком числе»: наименьший эффект, который выявит столько единиц, сколько в этом эксперименте.",
    ),
    section__arms=("Arm sizes", "Размеры групп"),
    arms__table=("Units by arm", "Единицы по группам"),
    arms__note=(
        "A p below {limit} makes the experiment invalid, whatever the effects.",
        "При p ниже {limit} эксперимент недействителен, какими бы ни были эффекты.",
    ),
    measure__effect=("effect against the control", "эффект относительно контроля"),
    measure__effect_cuped=("effect against the control, CUPED", "эффект относительно контроля, CUPED"),
    measure__sample_ratio_p=("p of the sample ratio test", "p проверки соотношения групп"),
    control=("control", "контроль"),
)

#: Their order in tables.
_ESTIMATES = ["plain", "cuped", "winsorised"]


def section(read: Reader, task: ExperimentTask, voice: Voice) -> Page:
    """The page of an experiment.

    Args:
        read: what the run wrote.
        task: the settings.
        voice: the language.
    """
    page = _Page(read, task, voice)
    return Page(task.title[voice.language], task.question[voice.language], page.answer(), page.sections())


class _Page:
    """What all parts of the page use."""

    def __init__(self, read: Reader, task: ExperimentTask, voice: Voice) -> None:
        self.read, self.task, self.voice = read, task, voice
        self.words, self.formats = voice.words, voice.formats
        self.arms = self._in_order(read.table("arms").toPandas())
        self.effects = self._in_order(read.table("effects").toPandas())

    def _in_order(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows in the order in which the task names metrics and arms."""
        orders = {"metric": [*self.task.metrics], "arm": [*self.task.arms], "estimate": _ESTIMATES}
        by = [name for name in orders if name in rows.columns]
        places = {name: {one: place for place, one in enumerate(orders[name])} for name in by}
        return rows.sort_values(by, key=lambda column: column.map(places[str(column.name)]), ignore_index=True)

    def title(self, metric: str) -> str:
        """The title of a metric, or the name of a column."""
        settings = self.task.metrics.get(metric)
        return metric if settings is None or settings.title is None else settings.title[self.voice.language]

    def value(self, metric: str, value: float | None) -> str:
        """A value of a metric: a share as percent."""
        is_share = metric in self.task.metrics and self.task.metrics[metric].type == "share"
        return self.formats.percent(value, 2) if is_share else self.formats.decimal(value, _digits(value))

    def difference(self, metric: str, value: float | None) -> str:
        """A difference of two values: of shares in percentage points."""
        if not is_number(value) or value is None:
            return NOTHING
        settings = self.task.metrics.get(metric)
        if settings is None or settings.type != "share":
            return _signed(self.formats.decimal(value, _digits(value)), value)
        return f"{_signed(self.formats.decimal(100 * value, 2), value)}\u00a0{self.words('points')}"

    def end(self, metric: str, value: float | None) -> str:
        """One bound of a difference's interval, without its unit."""
        settings = self.task.metrics.get(metric)
        is_share = settings is not None and settings.type == "share"
        return self.formats.decimal(_times(100, value), 2) if is_share else self.formats.decimal(value, _digits(value))

    def interval(self, metric: str, low: float | None, high: float | None) -> str:
        """Both bounds in brackets, without a unit."""
        return f"[{self.end(metric, low)} … {self.end(metric, high)}]" if is_number(low) and is_number(high) else ""

    def said(self, prefix: str, finding: Finding) -> str:
        """A finding or a reason in words."""
        metric = finding.subject
        values: dict[str, object] = {}
        for name, value in finding.parameters.items():
            if name == "p":
                values[name] = self.formats.p_equation(finding.value)
            elif isinstance(value, str):
                values[name] = value
            elif isinstance(value, int):
                values[name] = self.formats.integer(value)
            elif name in ("low", "high"):
                values[name] = self.end(metric, value)
            else:
                values[name] = self.value(metric, value) if name == "control" else self.difference(metric, value)
        return self.words(f"{prefix}.{finding.code}", subject=self.title(metric), **values)

    def line(self, metric: str, arm: str, estimate: str) -> pd.Series:
        """One row of the table of effects."""
        effects = self.effects
        is_it = (effects["metric"] == metric) & (effects["arm"] == arm) & (effects["estimate"] == estimate)
        return effects[is_it].iloc[0]

    def answer(self) -> Answer:
        """The verdict, why, and the deciding metric of each arm."""
        verdict, words, formats = self.read.verdict, self.words, self.formats
        winners = [str(reason.parameters["arm"]) for reason in verdict.reasons if reason.code == "better"]
        if len(winners) == 1:
            title = words("answer.gain", arm=winners[0])
        elif winners:
            title = words("answer.several", arms=", ".join(winners))
        else:
            title = words(f"answer.{verdict.verdict}")
        ratio = self.read.measure("sample_ratio_p")
        units = formats.integer(int(self.arms["units"].sum()))
        sentences = [self.said("reason", reason) for reason in verdict.reasons[:3]]
        figures = [KeyFigure(words("key.units"), units, words("key.arms", count=len(self.arms)))]
        if ratio is not None and ratio.value is not None:
            if verdict.verdict != "invalid":
                sentences += self._also()
                sentences.append(words("split.even", units=units, p=formats.p_equation(ratio.value)))
            figures.append(KeyFigure(words("key.split"), formats.p_equation(ratio.value), words("key.split_p")))
        warnings = [self.said("finding", finding) for finding in self.read.findings if finding.is_warning]
        return Answer(verdict.verdict, title, sentences, [*self._key_figures(), *figures], warnings)

    def _also(self) -> list[str]:
        """Other goals that also improve in the winning arms."""
        found = self.effects[(self.effects["status"] == "better") & (self.effects["estimate"] == self.task.decide_by)]
        names = [metric for metric in self.task.goals[1:] if metric in set(found["metric"])]
        if self.read.verdict.verdict != "gain" or not names:
            return []
        return [self.words("answer.also", metrics=", ".join(map(self.title, names)))]

    def _key_figures(self) -> Iterator[KeyFigure]:
        goal = self.task.goals[0]
        for row in self._rows(goal, self.task.decide_by).head(3).to_dict("records"):
            interval = self.interval(goal, row["low"], row["high"])
            note = self.words(
                "key.confidence", confidence=self.formats.percent(1 - self.task.alpha, 0), interval=interval
            )
            label = self.words("key.effect", metric=self.title(goal), arm=row["arm"])
            yield KeyFigure(label, self.difference(goal, row["effect"]), note if interval else "")

    def _rows(self, metric: str, estimate: str) -> pd.DataFrame:
        return self.effects[(self.effects["metric"] == metric) & (self.effects["estimate"] == estimate)]

    def sections(self) -> list[Section]:
        """The sections below the answer; only the split if there are no other conclusions."""
        found = (
            []
            if self.effects.empty
            else [self._effects(), self._precise(), self._looks(), self._subgroups(), self._plan()]
        )
        return [one for one in [*found, self._split()] if one.blocks]

    def _effects(self) -> Section:
        words, formats = self.words, self.formats
        blocks: list[Block] = [self._effect_figure(metric) for metric in self.task.metrics]
        shown = self.effects[self.effects["estimate"] == self.task.decide_by]
        rows = []
        for row in shown.to_dict("records"):
            metric = str(row["metric"])
            lift = formats.percent_interval(row["lift_low"], row["lift_high"])
            status = Cell(words(f"status.{row['status']}"))
            always = self.interval(metric, row["always_low"], row["always_high"])
            role = words("role.guardrail") if row["role"] == "guardrail" else ""
            rows.append(
                [
                    head(self.title(metric), role), Cell(row["arm"]), number(self.value(metric, row["control_value"])),
                    number(self.value(metric, row["arm_value"])),
                    number(self.difference(metric, row["effect"]), self.interval(metric, row["low"], row["high"])),
                    number(_signed(formats.percent(row["lift"]), row["lift"]), lift),
                    number(formats.p_value(row["q_value"])), number(always), status,
                ]
            )  # fmt: skip
        names = ("metric", "arm", "control", "value", "effect", "lift", "q", "always", "status")
        titles = heads(*(words(f"column.{name}") for name in names), numbers_from=2)
        note = words("effects.note", alpha=formats.percent(self.task.alpha, 0))
        blocks.append(TableBlock(words("effects.table"), [*titles[:-1], Cell(titles[-1].text)], rows, note=note))
        return Section("effects", words("section.effects"), blocks)

    def _effect_figure(self, metric: str) -> Figure:
        rows = [
            Dot(
                str(row["arm"]), _number(row["effect"]), _number(row["low"]), _number(row["high"]),
                text=self.difference(metric, row["effect"]),
                is_emphasised=row["status"] in ("better", "worse", "harmed"),
            )
            for row in self._rows(metric, self.task.decide_by).to_dict("records")
        ]  # fmt: skip
        title = self.words("effects.title", metric=self.title(metric))
        control = self._rows(metric, "plain")["control_value"].to_list()
        takeaway = self.words("effects.takeaway", control=self.value(metric, control[0] if control else None))
        picture = dots(
            f"effect-{metric}", rows, f"{title}. {takeaway}", lambda value: self.difference(metric, value),
            reference=(0.0, self.words("effects.zero")),
        )  # fmt: skip
        return Figure(title, takeaway, picture)

    def _precise(self) -> Section:
        words = self.words
        others = self.effects[self.effects["estimate"] != "plain"]
        blocks: list[Block] = []
        reductions = others.loc[others["estimate"] == "cuped", "variance_reduction"].dropna()
        if len(reductions):
            most = self.formats.percent(float(reductions.max()))
            blocks.append(Paragraph(words("precise.cuped", covariates=", ".join(self.task.covariates), most=most)))
        if (others["estimate"] == "winsorised").any():
            quantile = self.formats.percent(self.task.winsor_quantile, 0)
            blocks.append(Paragraph(words("precise.winsorised", quantile=quantile)))
        shown = self.effects[self.effects["metric"].isin(others["metric"])]
        rows = [
            [
                head(self.title(row["metric"])), Cell(row["arm"]), Cell(words(f"estimate.{row['estimate']}")),
                number(self.difference(row["metric"], row["effect"])),
                number(self.interval(row["metric"], row["low"], row["high"])),
                number(self.formats.p_value(row["p_value"])),
                number(self.formats.percent(row["variance_reduction"])),
            ]
            for row in shown.to_dict("records")
        ]  # fmt: skip
        names = ("metric", "arm", "estimate", "effect", "effect", "p", "reduction")
        titles = heads(*(words(f"column.{name}") for name in names), numbers_from=3)
        titles[4] = number(words("key.interval", interval="").strip(" :"))
        if rows:
            blocks.append(TableBlock(words("section.precise"), titles, rows))
        return Section("precise", words("section.precise"), blocks)

    def _looks(self) -> Section:
        looks = self.read.table("looks").toPandas().sort_values("day")
        blocks: list[Block] = []
        for place, (arm, rows) in enumerate(looks.groupby("arm", sort=True)):
            metric = str(rows["metric"].iloc[0])
            days = np.arange(len(rows), dtype=np.float64)
            labels = [self.formats.period(pd.Timestamp(day), "day") for day in rows["day"]]
            series = Series(
                "", days, rows["effect"].to_numpy(dtype=float), rows["always_low"].to_numpy(dtype=float),
                rows["always_high"].to_numpy(dtype=float), "main",
            )  # fmt: skip
            zero = Series("", days, np.zeros(len(days)), role="baseline")
            title = self.words("looks.title", metric=self.title(metric), arm=arm)
            takeaway = self.words("looks.takeaway", alpha=self.formats.percent(self.task.alpha, 0))
            picture = lines(
                f"looks-{place}", [zero, series], f"{title}. {takeaway}",
                (self.formats.short, lambda value, metric=metric: self.difference(metric, value)),  # type: ignore[misc]
                (self.words("looks.days"), self.words("column.effect")), ticks=list(zip(days, labels, strict=True)),
            )  # fmt: skip
            blocks.append(Figure(title, takeaway, picture))
        return Section("looks", self.words("section.looks"), blocks)

    def _subgroups(self) -> Section:
        found = self.read.table("subgroups").toPandas().sort_values(["dimension", "arm", "level"])
        goal = self.task.goals[0]
        blocks: list[Block] = [Paragraph(self.words("subgroups.note"), "warning")] if len(found) else []
        for place, ((dimension, arm), rows) in enumerate(found.groupby(["dimension", "arm"], sort=True)):
            points = [
                Dot(
                    row["level"], _number(row["effect"]), _number(row["low"]), _number(row["high"]),
                    text=self.difference(goal, row["effect"]),
                )
                for row in rows.to_dict("records")
            ]  # fmt: skip
            title = self.words("subgroups.title", dimension=dimension, arm=arm)
            p = self.formats.p_equation(rows["differs_p"].iloc[0])
            takeaway = self.words("subgroups.takeaway", metric=self.title(goal), p=p)
            whole = (float(self.line(goal, str(arm), "plain")["effect"]), self.words("subgroups.whole"))
            picture = dots(
                f"subgroup-{place}", points, f"{title}. {takeaway}", lambda value: self.difference(goal, value),
                reference=whole,
            )  # fmt: skip
            blocks.append(Figure(title, takeaway, picture))
        return Section("subgroups", self.words("section.subgroups"), blocks)

    def _plan(self) -> Section:
        words, formats = self.words, self.formats
        found = self._in_order(self.read.table("plan").toPandas())
        rows = [
            [
                head(self.title(row["metric"])), Cell(row["arm"]), number(self.difference(row["metric"], row["worth"])),
                number(formats.integer(_number(row["units_needed"]))), number(formats.integer(row["units"])),
                number(self.difference(row["metric"], row["detectable"])),
                number(formats.integer(math.ceil(row["days_needed"])) if is_number(row["days_needed"]) else NOTHING),
            ]
            for row in found.to_dict("records")
        ]  # fmt: skip
        names = ("metric", "arm", "worth", "needed", "units", "detectable", "days")
        power, alpha = formats.percent(self.task.power, 0), formats.percent(self.task.alpha, 0)
        table = TableBlock(
            words("section.plan"), heads(*(words(f"column.{name}") for name in names), numbers_from=2), rows,
            note=words("plan.note", power=power, alpha=alpha),
        )  # fmt: skip
        return Section("plan", words("section.plan"), [table] if rows else [])

    def _split(self) -> Section:
        words, formats = self.words, self.formats
        rows = [
            [
                head(row["arm"], words("control") if row["is_control"] else ""), number(formats.integer(row["units"])),
                number(formats.percent(row["share"], 2)), number(formats.percent(row["planned_share"], 2)),
            ]
            for row in self.arms.to_dict("records")
        ]  # fmt: skip
        titles = heads(*(words(f"column.{name}") for name in ("arm", "units", "share", "planned")))
        note = words("arms.note", limit=formats.short(self.task.sample_ratio_alpha))
        return Section("split", words("section.arms"), [TableBlock(words("arms.table"), titles, rows, note=note)])


def _digits(value: float | None) -> int:
    """Decimal places for about three significant digits."""
    if value is None or not is_number(value) or value == 0:
        return 3
    return min(max(2 - math.floor(math.log10(abs(value))), 0), 5)


def _times(factor: float, value: float | None) -> float | None:
    return None if value is None else factor * value


def _signed(text: str, value: float | None) -> str:
    return f"+{text}" if value is not None and is_number(value) and value > 0 else text


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float | np.number) and is_number(value) else math.nan
