"""Texts of the page of a survival task, in both languages."""

from __future__ import annotations

from otklik.page.words import texts

TEXTS = texts(
    answer__stay=(
        "Of {customers} customers {left} have left. After {duration} {periods}, {survival} are still there.",
        "Из {customers} клиентов ушли {left}. Спустя {duration} {periods} остаются {survival}.",
    ),
    answer__groups=(
        "Retention differs by group: after {duration} {periods}, {best_share} of “{best}” are still there and "
        "{worst_share} of “{worst}”{test}.",
        "Удержание различается по группам: спустя {duration} {periods} остаются {best_share} в «{best}» и "
        "{worst_share} в «{worst}»{test}.",
    ),
    answer__test=(" (log-rank p {p})", " (логранговый критерий, p {p})"),
    answer__judged=(
        "On customers that the model had not seen, it separates those who leave sooner from those who stay with an "
        "AUC of {auc}; the curve {of_group} alone has {auc_curve}.",
        "На клиентах, которых модель не видела: уходящих раньше она отличает с AUC {auc}; одна лишь кривая {of_group} "
        "— с AUC {auc_curve}.",
    ),
    answer__present=(
        "Of the {customers} who are still there, {leaving} are expected to leave within {horizon} {periods}{value}.",
        "Из {customers} оставшихся в ближайшие {horizon} {periods} ожидается уход {leaving}{value}.",
    ),
    answer__value=(", and {value} with them", ", а с ними {value}"),
    answer__list=(
        "Retention offers to the {listed} on the list are expected to bring {gain}; offers to everybody, {all}.",
        "Ожидаемый выигрыш от удержания клиентов из списка ({listed}) — {gain}; от удержания всех — {all}.",
    ),
    of_group__group=("of their group", "их группы"),
    of_group__all=("of everybody", "всех клиентов"),
    period__day=("days", "дн."),
    period__week=("weeks", "нед."),
    period__month=("months", "мес."),
    period__quarter=("quarters", "кварт."),
    period__year=("years", "лет"),
    key__survival=("Still there after {duration} {periods}", "Остаются спустя {duration} {periods}"),
    key__leaving=("Expected to leave within {horizon} {periods}", "Уйдут в ближайшие {horizon} {periods}"),
    key__value=("Value at risk", "Ценность под угрозой"),
    key__auc=("Time-dependent AUC", "Зависящий от времени AUC"),
    key__auc_note=("by the curve alone {auc}", "по одной кривой {auc}"),
    section__curves=("How long customers stay", "Сколько остаются клиенты"),
    curves__title=("Share still there, by {periods}", "Доля оставшихся, по времени ({periods})"),
    curves__takeaway=(
        "Steep parts are when customers leave. The band is the 95% interval of all customers.",
        "Крутые участки — когда уходят. Полоса — 95-процентный интервал для всех клиентов.",
    ),
    curves__alt=("Survival curves of all customers and of each group", "Кривые дожития всех клиентов и каждой группы"),
    curves__share=("still there", "остаются"),
    curves__all=("all", "все"),
    curves__note=(
        "Customers who have not left are censored: they count up to the time they were last observed, not as never "
        "leaving.",
        "Клиенты, которые ещё не ушли, цензурированы: они учтены до последнего наблюдения, а не как оставшиеся "
        "навсегда.",
    ),
    table__caption=("Still there, with 95% intervals", "Остаются, с 95-процентными интервалами"),
    table__group=("Group", "Группа"),
    table__customers=("Customers", "Клиентов"),
    table__left=("Left", "Ушли"),
    table__median=("Half have left by", "Половина ушла к"),
    table__after=("after {duration}", "спустя {duration}"),
    table__test=(
        "Log-rank test that all groups leave alike: chi² {chi2}, {degrees} degrees of freedom, p {p}.",
        "Логранговый критерий (все группы уходят одинаково): хи-квадрат {chi2}, степеней свободы {degrees}, p {p}.",
    ),
    section__judged=("How good the predictions are", "Насколько хороши прогнозы"),
    judged__title=("AUC by duration", "AUC в зависимости от срока"),
    judged__takeaway=(
        "Probability that, of two customers, the one who leaves by then has the lower predicted probability of "
        "staying. The dashed line is the curve {of_group}.",
        "Вероятность, что из двух клиентов меньшую вероятность остаться модель даёт тому, кто к этому сроку ушёл. "
        "Пунктир — то же по кривой {of_group}.",
    ),
    judged__alt=("AUC of the model and of the curve at each duration", "AUC модели и кривой для каждого срока"),
    judged__model=("model", "модель"),
    judged__curve=("curve {of_group}", "кривая {of_group}"),
    judged__caption=("Model against curve", "Модель и кривая"),
    judged__measure=("Customers that the model had not seen", "Клиенты, которых модель не видела"),
    measure__integrated_brier=(
        "Integrated Brier score, lower is better",
        "Интегральная оценка Брайера, меньше — лучше",
    ),
    measure__brier_gain=("Improvement in Brier score over the curve", "Выигрыш в оценке Брайера к кривой"),
    measure__auc=("Time-dependent AUC", "Зависящий от времени AUC"),
    section__effects=("Factors associated with leaving", "Что связано с уходом"),
    effects__title=("Odds of leaving in a {period}", "Шансы уйти за период ({period})"),
    effects__takeaway=(
        "Right of 1: more likely to leave, all else equal. An association, not proof of a cause.",
        "Правее 1: уходят чаще при прочих равных. Это связь, а не доказательство причины.",
    ),
    effects__alt=("Odds ratios with intervals", "Отношения шансов с интервалами"),
    effects__against=("{feature}: {level}, not {reference}", "{feature}: {level}, а не {reference}"),
    effects__number=("{feature}: per standard deviation", "{feature}: на стандартное отклонение"),
    effects__empty=("{feature}: not known", "{feature}: неизвестно"),
    effects__ratio=("odds ratio", "отношение шансов"),
    effects__even=("no difference", "нет разницы"),
    one__day=("day", "день"),
    one__week=("week", "неделя"),
    one__month=("month", "месяц"),
    one__quarter=("quarter", "квартал"),
    one__year=("year", "год"),
    section__terms=("Terms", "Термины"),
    terms__risk=("Value at risk", "Ценность под угрозой"),
    terms__risk_is=(
        "chance of leaving within {horizon} {periods} × what the customer brings in {value_periods} {periods}",
        "вероятность ухода в ближайшие {horizon} {periods} × сколько клиент приносит за {value_periods} {periods}",
    ),
    terms__curve=("Survival curve", "Кривая дожития"),
    terms__curve_is=(
        "share of customers still there after a given time (Kaplan-Meier); censored customers count until last "
        "observed",
        "доля клиентов, оставшихся спустя срок (Каплан — Мейер); цензурированные учтены до последнего наблюдения",
    ),
    terms__brier=("Brier score", "Оценка Брайера"),
    terms__brier_is=(
        "mean squared difference between the predicted probability of staying and the outcome; 0.25 is a coin toss",
        "средний квадрат разницы между предсказанной вероятностью остаться и исходом; 0,25 — подбрасывание монеты",
    ),
    reason__predicts_better=(
        "The model predicts who leaves, and when, significantly better than the curve alone.",
        "Модель предсказывает уход значимо лучше, чем одна кривая.",
    ),
    reason__predicts_no_better=(
        "The model does not predict significantly better than the curve alone: choose customers by their group and "
        "tenure.",
        "Модель не предсказывает уход значимо лучше, чем одна кривая: выбирайте клиентов по группе и сроку.",
    ),
    **{
        f"{place}__too_few_{name}": text
        for place in ("reason", "finding")
        for name, text in {
            "customers": (
                "There are {count} customers; {minimum} are needed.",
                "Клиентов {count}; нужно {minimum}.",
            ),
            "departures": (
                "{count} customers have left; {minimum} are needed to say who will.",
                "Ушли {count} клиентов; чтобы судить о следующих, нужно {minimum}.",
            ),
        }.items()
    },
    finding__changes_help=(
        "Changes during the contract significantly improve the prediction: the model uses them.",
        "Изменения за время договора значимо улучшают прогноз ухода: модель их учитывает.",
    ),
    finding__changes_say_nothing=(
        "Changes during the contract do not significantly improve the prediction.",
        "Изменения за время договора не дают значимого улучшения прогноза.",
    ),
    measure__changes_gain=("Decrease in log loss from changes", "Выигрыш от изменений в логарифмической ошибке"),
    finding__same_as=(
        "{subject}: “{level}” has the same customers as “{other_level}” of {other}; only the latter is used.",
        "{subject}: «{level}» — те же клиенты, что «{other_level}» в {other}; учтено там.",
    ),
    finding__negative_durations=(
        "{rows} rows were excluded: their duration is negative.",
        "Не учтено строк с отрицательным сроком: {rows}.",
    ),
)
