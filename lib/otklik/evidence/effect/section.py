"""The page of an effect task: the effect of the contact, and how far to trust it."""

from __future__ import annotations

from otklik.evidence.effect.kind import EffectTask
from otklik.kind import Finding, Reader
from otklik.page.blocks import Figure, Paragraph, Section
from otklik.page.figures import Dot, dots
from otklik.page.formats import is_number
from otklik.page.rendering import Answer, KeyFigure, Page
from otklik.page.words import Voice, texts

TEXTS = texts(
    points=("pp", "п. п."),
    answer__better=(
        "The contact works, as far as observational data can tell",
        "Контакт действует, насколько это видно по наблюдениям",
    ),
    answer__worse=(
        "The contact does harm, as far as observational data can tell",
        "Контакт вредит, насколько это видно по наблюдениям",
    ),
    answer__nothing_shown=("No effect is shown", "Эффект не обнаружен"),
    answer__invalid=("The arms cannot be compared", "Группы несопоставимы"),
    answer__too_little_data=("Too little data to tell", "Данных слишком мало для вывода"),
    reason__better=(
        "Contacting all changes the share with the outcome by {value} [{low} … {high}]; the unadjusted difference of "
        "the arms is {naive}.",
        "Контакт со всеми меняет долю с исходом на {value} [{low} … {high}]; простая разница групп — {naive}.",
    ),
    reason__worse=(
        "Contacting all changes the share with the outcome by {value} [{low} … {high}], for the worse; the unadjusted "
        "difference of the arms is {naive}.",
        "Контакт со всеми меняет долю с исходом на {value} [{low} … {high}], к худшему; простая разница групп — "
        "{naive}.",
    ),
    reason__nothing_shown=(
        "Contacting all changes the share with the outcome by {value} [{low} … {high}], which may be chance; the "
        "unadjusted difference of the arms is {naive}.",
        "Контакт со всеми меняет долю с исходом на {value} [{low} … {high}], что может быть случайностью; простая "
        "разница групп — {naive}.",
    ),
    reason__placebo_moved=(
        "“{subject}”, which the contact cannot have changed, “changes” by {value} [{low} … {high}]: the arms differ "
        "in something that was not recorded.",
        "«{subject}», на что контакт повлиять не мог, «меняется» на {value} [{low} … {high}]: группы различаются "
        "чем-то, что не записано.",
    ),
    reason__unbalanced=(
        "After weighting the arms still differ in {subject} (standardised difference {after}).",
        "После взвешивания группы всё ещё различаются по {subject} (стандартизованная разница {after}).",
    ),
    reason__no_overlap=(
        "{share} of the units have a propensity below {least} for one of the arms: there is nothing to compare them "
        "with.",
        "У доли {share} единиц вероятность одной из групп была ниже {least}: сравнить их не с кем.",
    ),
    reason__few_outcomes=(
        "{subject}: {yes} of {units} units have “{outcome}”; at least {needed} with it and without it are "
        "needed.",
        "{subject}: «{outcome}» есть у {yes} из {units} единиц; нужно не меньше {needed} с ним и без него.",
    ),
    finding__not_random=(
        "Nobody was assigned at random. The effect is valid only if everything that influences both contact and "
        "outcome was recorded.",
        "Случайного отбора не было. Эффект верен, только если записано всё, что влияет и на контакт, и на исход.",
    ),
    measure__effect_on_all=("effect on all", "эффект на всех"),
    key__all=("Effect on all", "Эффект на всех"),
    key__contacted=("Effect on the contacted", "Эффект на охваченных"),
    key__naive=("Unadjusted difference", "Простая разница"),
    key__e=("E-value", "E-value"),
    key__e_note=("of the interval {least}", "для границы интервала {least}"),
    key__interval=("95% {interval}", "95 %: {interval}"),
    section__effects=("The effect by each estimate", "Эффект по каждой оценке"),
    effects__title=("Change of the share: {outcome}", "Изменение доли: {outcome}"),
    effects__takeaway=(
        "The unadjusted difference is what a report without weighting shows.",
        "Простая разница — то, что показал бы отчёт без взвешивания.",
    ),
    effects__zero=("no effect", "нет эффекта"),
    effects__placebo=(
        "The contact cannot have changed this; an effect here casts doubt on all others.",
        "На это контакт повлиять не мог; эффект здесь ставит под сомнение все остальные.",
    ),
    estimate__naive=("unadjusted difference", "простая разница"),
    estimate__all=("all units", "все единицы"),
    estimate__contacted=("the contacted", "охваченные"),
    section__balance=("Balance of the arms", "Насколько группы похожи"),
    balance__title=("Standardised differences", "Стандартизованные разницы"),
    balance__takeaway=(
        "Filled: after weighting; hollow: before. Beyond ±{limit} the arms are not comparable.",
        "Закрашено: после взвешивания; полые: до. За пределами ±{limit} группы несопоставимы.",
    ),
    balance__after=("after", "после"),
    balance__before=("before", "до"),
    section__sensitivity=("Sensitivity to a hidden cause", "Насколько сильной должна быть скрытая причина"),
    sensitivity__text=(
        "An unrecorded cause would need a risk ratio of {value} with both contact and outcome to explain the effect "
        "away, and of {least} to move its interval to 0. Ratios near 1 are common, above 2 rare.",
        "Незаписанная причина должна быть связана и с контактом, и с исходом с отношением рисков {value}, чтобы "
        "полностью объяснить эффект, и {least}, чтобы интервал достиг нуля. Отношения около 1 обычны, больше 2 — "
        "редки.",
    ),
)  # fmt: skip

#: Number of differences plotted, the largest first.
_MOST_FEATURES = 25


def section(read: Reader, task: EffectTask, voice: Voice) -> Page:
    """The page of an effect task.

    Args:
        read: what the run wrote.
        task: the settings.
        voice: the language.
    """
    sections = [_effects(read, task, voice), *_sensitivity(read, voice), _balance(read, task, voice)]
    shown = [one for one in sections if one.blocks]
    return Page(task.title[voice.language], task.question[voice.language], _answer(read, voice), shown)


def _points(value: float | None, voice: Voice, *, has_unit: bool = True) -> str:
    text = voice.formats.decimal(None if value is None else 100 * value, 2)
    return f"{text}\u00a0{voice.words('points')}" if has_unit else text


def _said(finding: Finding, voice: Voice) -> str:
    values: dict[str, object] = {}
    for name, value in finding.parameters.items():
        if isinstance(value, str):
            values[name] = value
        elif isinstance(value, int):
            values[name] = voice.formats.integer(value)
        elif name in ("share", "least"):
            values[name] = voice.formats.percent(value)
        elif name == "after":
            values[name] = voice.formats.decimal(value, 3)
        else:
            values[name] = _points(value, voice, has_unit=name not in ("low", "high"))
    return voice.words(f"reason.{finding.code}", subject=finding.subject, **values)


def _answer(read: Reader, voice: Voice) -> Answer:
    words, formats, verdict = voice.words, voice.formats, read.verdict
    code = verdict.reasons[0].code
    title = words(f"answer.{code if words.has(f'answer.{code}') else verdict.verdict}")
    figures = []
    for key, name in (("key.all", "effect_on_all"), ("key.contacted", "effect_on_contacted")):
        found = read.measure(name)
        if found is not None:
            interval = formats.interval(found.low, found.high, lambda x: _points(x, voice, has_unit=False))
            note = words("key.interval", interval=interval)
            figures.append(KeyFigure(words(key), _points(found.value, voice), note))
    on_all, strength = read.measure("effect_on_all"), read.measure("e_value")
    if on_all is not None:
        figures.append(KeyFigure(words("key.naive"), _points(on_all.baseline, voice)))
    if strength is not None:
        note = words("key.e_note", least=formats.decimal(strength.low, 2))
        figures.append(KeyFigure(words("key.e"), formats.decimal(strength.value, 2), note))
    warnings = [voice.told(finding) for finding in read.findings]
    return Answer(verdict.verdict, title, [_said(reason, voice) for reason in verdict.reasons], figures, warnings)


def _effects(read: Reader, task: EffectTask, voice: Voice) -> Section:
    words = voice.words
    found = read.table("effects").toPandas()
    blocks = []
    for place, outcome in enumerate(("outcome", *task.placebos)):
        rows = {row["estimate"]: row for row in found[found["outcome"] == outcome].to_dict("records")}
        points = [
            Dot(
                words(f"estimate.{name}"), rows[name]["value"], rows[name]["low"], rows[name]["high"],
                text=_points(rows[name]["value"], voice), is_emphasised=name == "all",
            )
            for name in ("naive", "all", "contacted")
            if name in rows
        ]  # fmt: skip
        if not points:
            continue
        title = words("effects.title", outcome=outcome)
        takeaway = words("effects.placebo" if place else "effects.takeaway")
        picture = dots(
            f"effect-{place}", points, f"{title}. {takeaway}", lambda value: _points(value, voice),
            reference=(0.0, words("effects.zero")),
        )  # fmt: skip
        blocks.append(Figure(title, takeaway, picture))
    return Section("effects", words("section.effects"), blocks)


def _sensitivity(read: Reader, voice: Voice) -> list[Section]:
    found = read.measure("e_value")
    if found is None:
        return []
    value, least = (voice.formats.decimal(one, 2) for one in (found.value, found.low))
    text = Paragraph(voice.words("sensitivity.text", value=value, least=least))
    return [Section("sensitivity", voice.words("section.sensitivity"), [text])]


def _balance(read: Reader, task: EffectTask, voice: Voice) -> Section:
    words, formats = voice.words, voice.formats
    found = read.table("balance").toPandas().dropna()
    if found.empty:
        return Section("balance", words("section.balance"), [])
    found = found.loc[found["before"].abs().sort_values(ascending=False, kind="stable").index].head(_MOST_FEATURES)
    points = [
        Dot(
            row["feature"], row["after"], baseline=row["before"], text=formats.decimal(row["after"], 3),
            is_emphasised=is_number(row["after"]) and abs(row["after"]) > task.imbalance,
        )
        for row in found.to_dict("records")
    ]  # fmt: skip
    title = words("balance.title")
    takeaway = words("balance.takeaway", limit=formats.short(task.imbalance))
    picture = dots(
        "balance", points, f"{title}. {takeaway}", formats.short,
        words=(words("balance.after"), words("balance.before")), reference=(0.0, ""),
    )  # fmt: skip
    return Section("balance", words("section.balance"), [Figure(title, takeaway, picture)])
