"""Texts of the page of a demand task, in both languages."""

from __future__ import annotations

from otklik.page.words import texts

TEXTS = texts(
    answer__judged=(
        "In the last {ahead} {periods}, which no method had seen, the error was {mase} times the usual change from one "
        "{period} to the next (mean of {series} series); for the last value as forecast, {naive} times.",
        "За последние {ahead} {periods}, которых методы не видели, ошибка составила {mase} обычного изменения от "
        "периода к периоду (среднее по рядам, их {series}); если бы повторялось последнее значение — {naive}.",
    ),
    answer__covered=(
        "Of 10 periods, 8 should lie in the interval; {covered} did.",
        "В интервал должны попадать 8 периодов из 10; попало {covered}.",
    ),
    answer__not=(
        "{count} of {all} series cannot be forecast; the table of series says why.",
        "Для {count} из {all} рядов прогноза нет; причина — в таблице рядов.",
    ),
    answer__next=(
        "All series together: {next} expected in the next {ahead} {periods}; in the last {ahead} it was {last}.",
        "Все ряды вместе: в следующие {ahead} {periods} ожидается {next}; за последние {ahead} было {last}.",
    ),
    period__day=("day", "день"),
    period__week=("week", "неделя"),
    period__month=("month", "месяц"),
    periods__day=("days", "дн."),
    periods__week=("weeks", "нед."),
    periods__month=("months", "мес."),
    key__next=("Expected in the next {ahead} {periods}", "Ожидается за следующие {ahead} {periods}"),
    key__next_note=("against the last {ahead}", "к последним {ahead}"),
    key__mase=("Error (MASE)", "Ошибка (MASE)"),
    key__mase_note=("last value: {naive}", "последнее значение: {naive}"),
    key__covered=("Periods in the 80% interval", "Периодов в 80-процентном интервале"),
    key__series=("Series forecast", "Рядов с прогнозом"),
    key__series_note=("of {all}", "из {all}"),
    section__total=("All series together", "Все ряды вместе"),
    total__title=("Sold and forecast, by {period}", "Продажи и прогноз (период: {period})"),
    total__takeaway=(
        "Right of the line: the forecast; left of it, dashed: the forecast for the hold-out.",
        "Правее линии — прогноз; левее, пунктиром, — прогноз для отложенного периода.",
    ),
    total__alt=(
        "Sums of all series: actual, forecast in the hold-out, and next",
        "Суммы рядов: факт, прогноз, будущее",
    ),
    total__actual=("sold", "продано"),
    total__forecast=("hold-out forecast", "прогноз для проверки"),
    total__next=("forecast", "прогноз"),
    total__now=("now", "сейчас"),
    total__quantity=("quantity", "количество"),
    section__methods=("Which method", "Какой метод"),
    methods__title=(
        "Error of each method in the hold-out (MASE)",
        "Ошибка каждого метода на отложенном периоде (MASE)",
    ),
    methods__takeaway=(
        "The method was selected before the hold-out; which method does best in it is known only afterwards.",
        "Метод выбран до отложенного периода; какой окажется в нём лучшим, становится известно лишь потом.",
    ),
    methods__alt=("Bars: mean error of each method and of the selection", "Столбцы: средняя ошибка методов и выбора"),
    methods__choice=("the selection", "выбор"),
    methods__note=(
        "The default for all series is {default}: it had the smallest error at earlier origins, {error} (last value: "
        "{naive}; geometric means). {changed} of the series use another method, which was significantly better for "
        "them there.",
        "Исходный метод для всех рядов — {default}: на более ранних отрезках его ошибка была наименьшей, {error} "
        "(последнее значение: {naive}; средние геометрические). Другой метод берётся для рядов, где он раньше был "
        "значимо лучше: таких {changed}.",
    ),
    methods__untried=(
        "The history is too short to compare methods at an earlier origin: the first of the list is used, {default}.",
        "История слишком коротка, чтобы сравнить методы на более раннем отрезке: прогнозирует первый в списке, "
        "{default}.",
    ),
    model__naive=("last value", "последнее значение"),
    model__seasonal_naive=("last season", "прошлый сезон"),
    model__mean=("mean", "среднее"),
    model__ses=("exponential smoothing, .1", "эксп. сглаживание, 0,1"),
    model__ses_fitted=("exponential smoothing, fitted", "эксп. сглаживание, подобранное"),
    model__croston=("Croston", "Кростон"),
    model__sba=("Syntetos-Boylan", "Синтетос — Бойлан"),
    model__theta=("Theta", "Theta"),
    model__combined=("median of five methods", "медиана пяти методов"),
    model__pooled=("pooled model of all series", "общая модель рядов"),
    model__pooled_theta=("pooled model of all series and Theta", "общая модель рядов и Theta"),
    model__auto_ets=("ETS (statsforecast)", "ETS (statsforecast)"),
    model__auto_theta=("Theta (statsforecast)", "Theta (statsforecast)"),
    judged__caption=("Selected method against last value", "Выбор и последнее значение"),
    judged__choice=("Selected", "Выбор"),
    judged__naive=("Last value", "Последнее значение"),
    measure__earlier_error=("Error at earlier origins", "Ошибка на более ранних отрезках"),
    measure__mase=("MASE: mean absolute error", "MASE: средняя абсолютная ошибка"),
    measure__median_mase=("Median of the same", "Медиана того же"),
    measure__mase_gain=("Improvement in MASE over the last value", "Выигрыш в MASE к последнему значению"),
    measure__rmsse=("RMSSE: root mean squared error", "RMSSE: среднеквадратичная ошибка"),
    measure__wrmsse=("WRMSSE: the same, weighted by what was sold", "WRMSSE: то же, с весами по продажам"),
    measure__pinball_10=("Pinball loss, 10% quantile", "Функция потерь квантиля 10 %"),
    measure__pinball_50=("Pinball loss, forecast", "Функция потерь прогноза"),
    measure__pinball_90=("Pinball loss, 90% quantile", "Функция потерь квантиля 90 %"),
    measure__coverage_80=(
        "Periods in the 80% interval (right: target)",
        "Периодов в 80-процентном интервале (справа: цель)",
    ),
    judged__note=(
        "All errors in units of the series' mean change from one period to the next before the hold-out; means over "
        "series, with 95% intervals.",
        "Ошибки — в единицах среднего изменения ряда от периода к периоду до отложенного периода; средние по рядам с "
        "95-процентными интервалами.",
    ),
    section__series=("The largest series", "Крупнейшие ряды"),
    series__caption=("The {count} largest series", "Крупнейшие ряды: {count}"),
    series__series=("Series", "Ряд"),
    series__model=("Method", "Метод"),
    series__kind=("Demand", "Спрос"),
    series__next=("Next {periods}", "Дальше, {periods}"),
    series__mase=("Error (MASE)", "Ошибка (MASE)"),
    series__naive=("Last value", "Последнее значение"),
    kind__smooth=("smooth", "ровный"),
    kind__erratic=("erratic", "неровный"),
    kind__intermittent=("intermittent", "прерывистый"),
    kind__lumpy=("lumpy", "прерывистый и неровный"),
    section__sums=("Groups and totals", "Группы и итоги"),
    sums__why=(
        "Groups and the total are also forecast directly, and all forecasts are then reconciled. In the hold-out the "
        "error of the total was {all}; the series alone would give {alone}. The error of the series (MASE) is {mase} "
        "instead of {mase_alone}.",
        "Группы и сумма всех рядов прогнозируются и сами по себе, затем всё согласуется. На отложенном периоде ошибка "
        "общей суммы — {all}, по одним рядам была бы {alone}; ошибка рядов (MASE) — {mase} вместо "
        "{mase_alone}.",
    ),
    sums__caption=("Largest groups", "Крупнейшие группы"),
    sums__name=("Group", "Группа"),
    sums__own=("Direct", "Отдельно"),
    sums__all=("total", "итого"),
    measure__mase_adding_up=("MASE after reconciliation", "MASE после согласования"),
    measure__error_share=("Error of totals, share of sales", "Ошибка сумм, доля продаж"),
    section__stock=("Stock levels", "Сколько держать на складе"),
    stock__why=(
        "A missing unit costs {missing}, a unit left over {left}: the stock should suffice for {enough} of the series "
        "over {count} {periods}.",
        "Недостающая штука стоит {missing}, лишняя — {left}: запаса должно хватать для {enough} рядов (срок: {count} "
        "{periods}).",
    ),
    stock__judged=(
        "In the first {count} {periods} of the hold-out such a stock would have cost {cost} per series (stock for the "
        "last value: {naive}), and would have sufficed for {did}.",
        "За первые {count} {periods} отложенного периода такой запас обошёлся бы в {cost} на ряд (запас под последнее "
        "значение — {naive}); его хватило бы для {did} рядов.",
    ),
    stock__caption=("Stock for the {count} largest series", "Запас для крупнейших рядов: {count}"),
    stock__expected=("Expected sales", "Ожидаемые продажи"),
    stock__stock=("Stock", "Запас"),
    measure__stock_cost=("Cost of the stock per series", "Стоимость запаса на ряд"),
    measure__stock_gain=("Saved per series against the last value", "Экономия на ряд к последнему значению"),
    measure__stock_gain_over_forecast=("Saved against stock for the forecast", "Экономия к запасу по прогнозу"),
    measure__stock_enough=("Series with sufficient stock", "Рядов, где запаса хватило"),
    section__terms=("Terms", "Термины"),
    terms__mase=("MASE", "MASE"),
    terms__mase_is=(
        "mean absolute error divided by the series' mean absolute change from one period to the next; 1: as large as "
        "the usual change in one period",
        "средняя абсолютная ошибка, делённая на среднее абсолютное изменение ряда за период; 1 — ошибка равна обычному "
        "изменению за период",
    ),
    terms__interval=("80% interval", "80-процентный интервал"),
    terms__interval_is=(
        "from the errors of the same methods at earlier origins; one period in ten lies below it, one above",
        "по ошибкам тех же методов на более ранних отрезках; один период из десяти ниже него, один — выше",
    ),
    reason__better_than_naive=(
        "Forecasts are significantly better than the last value.",
        "Прогноз значимо лучше последнего значения.",
    ),
    reason__no_better_than_naive=(
        "Forecasts are not significantly better than the last value: plan with the last value.",
        "Прогноз не превосходит значимо последнее значение: планируйте по последнему значению.",
    ),
    **{
        f"{place}__too_few_series": (
            "{count} series can be forecast; {minimum} are needed for a verdict.",
            "Рядов с прогнозом {count}; для вывода нужно {minimum}.",
        )
        for place in ("reason", "finding")
    },
    finding__too_short=(
        "{series} series have too few periods before the hold-out and are not forecast.",
        "Рядов, у которых до отложенного периода слишком мало периодов (без прогноза): {series}.",
    ),
    finding__nothing_sold=(
        "{series} series have no sales before the hold-out and are not forecast.",
        "Рядов без продаж до отложенного периода (без прогноза): {series}.",
    ),
    finding__constant=(
        "{series} series never changed before the hold-out: errors cannot be measured; they are not forecast.",
        "Рядов, которые до отложенного периода не менялись (ошибку не измерить, без прогноза): {series}.",
    ),
    finding__plan_ends=(
        "The plan has no prices or promotions for the coming periods: the last price is used, whereas the hold-out "
        "forecasts knew the plan.",
        "В плане нет цен и акций будущих периодов: взята последняя цена, тогда как прогнозы для отложенного периода "
        "план знали.",
    ),
    finding__no_intervals=(
        "There are no intervals: the history is too short for a single earlier origin.",
        "Интервалов нет: история слишком коротка даже для одного более раннего отрезка.",
    ),
    finding__intervals_off=(
        "{percent}% of the periods of the hold-out were inside the 80% interval: they differ from earlier periods.",
        "В 80-процентный интервал попало {percent} % отложенных периодов: они не похожи на прежние.",
    ),
)
