"""Texts of the page of a multiclass task, in both languages."""

from __future__ import annotations

from otklik.page.words import texts

TEXTS = texts(
    measure__macro_f1=("Macro-F1", "Macro-F1"),
    model__logistic_regression=("Logistic regression", "Логистическая регрессия"),
    model__random_forest=("Random forest", "Случайный лес"),
    model__nearest_centroid=("Nearest centroid", "Ближайший центр"),
    model__majority=("Always the most common class", "Всегда самый частый класс"),
    answer__accuracy=(
        "The model predicts the right class for {own} of {n} customers it had not seen. Always predicting the most "
        "common class is right for {majority}, the nearest centroid for {centroid}.",
        "Для {own} из {n} клиентов, которых модель не видела, она называет верный класс. Если всегда называть самый "
        "частый класс, верно {majority}, по ближайшему центру — {centroid}.",
    ),
    answer__abstain=(
        "With a confidence of at least {threshold}, which {coverage} of the customers reach, it is right for "
        "{accuracy}.",
        "Там, где она уверена не меньше чем на {threshold} (таких клиентов {coverage}), она права в {accuracy} "
        "случаев.",
    ),
    answer__new=(
        "{n} customers without a class were assigned to one.",
        "Клиентов без класса, отнесённых к одному из классов: {n}.",
    ),
    reason__better=(
        "Macro-F1, the mean of F1 over all classes, is {macro_f1}; the better of the two simple rules reaches "
        "{rule}. The difference of {gain} lies between {low} and {high} in 95% of resamples.",
        "Macro-F1, среднее F1 по всем классам, равно {macro_f1}; лучшее из двух простых правил даёт {rule}. Разница "
        "{gain}; в 95 % повторных выборок она от {low} до {high}.",
    ),
    reason__not_better=(
        "The model is not better than the simple rules: macro-F1 {macro_f1}, the better rule {rule}; the difference "
        "of {gain} lies between {low} and {high} in 95% of resamples.",
        "Модель не лучше простых правил: macro-F1 {macro_f1}, лучшее правило {rule}; разница {gain}, в 95 % "
        "повторных выборок от {low} до {high}.",
    ),
    figure__macro_f1_note=(
        "95% {interval}; better simple rule {rule}",
        "95 % {interval}; лучшее простое правило {rule}",
    ),
    figure__accuracy=("Accuracy", "Верно"),
    figure__accuracy_note=("95% {interval}; simple rule {rule}", "95 % {interval}; простое правило {rule}"),
    figure__classes=("Classes", "Классов"),
    figure__classes_note=("{n} customers evaluated", "проверено клиентов: {n}"),
    figure__log_loss=("Log loss", "Log loss"),
    figure__log_loss_note=("from class frequencies alone {shares}", "если знать лишь частоты классов {shares}"),
    finding__property_constant_dropped=(
        "Property `{subject}` is the same for every customer and was excluded.",
        "Свойство `{subject}` одинаково у всех и не учтено.",
    ),
    finding__property_constant_kept=(
        "Property `{subject}` is the same for every customer.",
        "Свойство `{subject}` одинаково у всех.",
    ),
    finding__property_duplicate_dropped=(
        "Property `{subject}` duplicates `{other}` and was excluded.",
        "Свойство `{subject}` повторяет `{other}` и не учтено.",
    ),
    finding__property_duplicate_kept=(
        "Property `{subject}` duplicates `{other}`.",
        "Свойство `{subject}` повторяет `{other}`.",
    ),
    finding__property_correlated_dropped=(
        "Property `{subject}` is highly correlated with `{other}` and was excluded.",
        "Свойство `{subject}` тесно связано с `{other}` и не учтено.",
    ),
    finding__property_correlated_kept=(
        "Property `{subject}` is highly correlated with `{other}`.",
        "Свойство `{subject}` тесно связано с `{other}`.",
    ),
    finding__property_rare_levels_merged=(
        "Rare values of `{subject}` were merged: {n} customers.",
        "Редкие значения `{subject}` объединены; клиентов с ними: {n}.",
    ),
    section__models=("Which model", "Какая модель"),
    models__title=("Macro-F1 on customers not seen", "Macro-F1 на клиентах, которых модель не видела"),
    models__takeaway=(
        "{best} assigns new customers: its log loss is the smallest.",
        "Новых клиентов относит {best}: у неё наименьший log loss.",
    ),
    models__caption=("All figures", "Все показатели"),
    models__model=("Model", "Модель"),
    models__accuracy=("Accuracy", "Верно"),
    models__log_loss=("Log loss", "Log loss"),
    models__raw=("before calibration", "до калибровки"),
    models__brier=("Brier score", "Оценка Брайера"),
    section__classes=("How well each class is recognised", "Насколько хорошо определяется каждый класс"),
    classes__title=("F1 of each class", "F1 каждого класса"),
    classes__takeaway=(
        "Best recognised: {best}; worst: {worst}.",
        "Лучше всего определяется {best}, хуже всего {worst}.",
    ),
    classes__own=("model, 95% interval", "модель, 95 % интервал"),
    classes__rule=("better simple rule", "лучшее простое правило"),
    classes__caption=("Each class", "По классам"),
    classes__class=("Class", "Класс"),
    classes__customers=("Customers", "Клиентов"),
    classes__precision=("Precision", "Точность"),
    classes__recall=("Recall", "Полнота"),
    section__confusion=("Which classes are confused", "Что с чем путается"),
    confusion__title=(
        "Percent of a class that is predicted as each class",
        "Какой процент класса предсказан как каждый из классов",
    ),
    confusion__takeaway=(
        "The most common confusion: {predicted} predicted for {own}, {share} of that class.",
        "Чаще всего вместо {own} названо {predicted}: {share} этого класса.",
    ),
    confusion__none=("No classes are confused.", "Классы не путаются."),
    confusion__own=("actual", "на деле"),
    confusion__predicted=("predicted", "предсказан"),
    section__abstention=("If the model may abstain", "Если модель может не отвечать"),
    abstention__title=(
        "Accuracy by share of customers answered",
        "Доля верных ответов и доля клиентов, получающих ответ",
    ),
    abstention__takeaway=(
        "Most confident first. Where both lines meet, the probabilities are calibrated.",
        "Сначала самые уверенные. Где линии совпадают, вероятностям можно верить.",
    ),
    abstention__accuracy=("accuracy", "верно"),
    abstention__expected=("expected from the probabilities", "ожидается по вероятностям"),
    abstention__coverage=("share of customers answered", "доля клиентов с ответом"),
    section__reading=("How to read this", "Как это читать"),
    reading__folds=(
        "{folds}-fold cross-validation: each part of the customers was predicted by models trained on the other parts.",
        "Каждую из {folds} частей клиентов предсказывали модели, обученные на остальных частях.",
    ),
    reading__time=(
        "The latest {share} of the customers were predicted by models trained on the earlier ones.",
        "Самые поздние {share} клиентов предсказывали модели, обученные на более ранних.",
    ),
    reading__f1=(
        "F1 of a class is the harmonic mean of precision (share of the predicted customers that belong to the class) "
        "and recall (share of the class that is predicted). Macro-F1 weights all classes equally, however small.",
        "F1 класса — среднее гармоническое точности (доля верных среди отнесённых к классу) и полноты (доля найденных "
        "среди принадлежащих к классу). Macro-F1 учитывает все классы одинаково, даже малые.",
    ),
    reading__intervals=(
        "Intervals: bootstrap over customers, {replicates} replicates.",
        "Интервалы получены по {replicates} повторным выборкам клиентов.",
    ),
)
