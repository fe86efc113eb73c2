"""What the page of a demand task says, in both languages."""

from __future__ import annotations

from otklik.page.words import texts

TEXTS = texts(
    answer__judged=(
        "In the last {ahead} {periods}, which no method had seen, the error was {mase} times the usual change from one "
        "{period} to the next (mean of {series} series); if the last value had gone on, {naive} times.",
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
    key__mase_note=("last value goes on: {naive}", "последнее значение: {naive}"),
    key__covered=("Periods in the 80% interval", "Периодов в 80-процентном интервале"),
    key__series=("Series forecast", "Рядов с прогнозом"),
    key__series_note=("of {all}", "из {all}"),
    section__total=("All series together", "Все ряды вместе"),
    total__title=("Sold and forecast, by {period}", "Продажи и прогноз (период: {period})"),
    total__takeaway=(
        "Right of the line is what comes next; left of it, dashed, what would have been forecast.",
        "Правее линии — что будет; левее, пунктиром, — что спрогнозировали бы.",
    ),
    total__alt=(
        "Sums of all series: actual, forecast in the hold-out, and next",
        "Суммы рядов: факт, прогноз, будущее",
    ),
    total__actual=("sold", "продано"),
    total__forecast=("would have been forecast", "спрогнозировали бы"),
    total__next=("forecast", "прогноз"),
    total__now=("now", "сейчас"),
    total__quantity=("quantity", "количество"),
    section__methods=("Which method", "Какой метод"),
    methods__title=(
        "Error of each method in the hold-out (MASE)",
        "Ошибка каждого метода на отложенном периоде (MASE)",
    ),
    methods__takeaway=(
        "The choice was made before the hold-out; that a single method did best in it is known only afterwards.",
        "Выбор сделан до отложенного периода; какой метод окажется в нём лучшим, становится известно лишь потом.",
    ),
    methods__alt=("Bars: mean error of each method and of the choice", "Столбцы: средняя ошибка методов и выбора"),
    methods__choice=("the choice", "выбор"),
    methods__note=(
        "All series start from {default}: of all methods it had the smallest error at earlier origins, {error} (last "
        "value: {naive}; geometric means). Another method takes over where it was better there for that series, beyond "
        "chance: {changed} of the series.",
        "Исходный метод для всех рядов — {default}: на более ранних отрезках его ошибка была наименьшей, {error} "
        "(последнее значение: {naive}; средние геометрические). Другой метод берётся там, где раньше он был лучше для "
        "этого ряда и это не случайность: {changed} рядов.",
    ),
    methods__untried=(
        "The history is too short to compare methods at an earlier origin: the first of the list forecasts, {default}.",
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
    model__pooled=("all series together", "общая модель рядов"),
    model__pooled_theta=("all series together and Theta", "общая модель рядов и Theta"),
    model__auto_ets=("ETS (statsforecast)", "ETS (statsforecast)"),
    model__auto_theta=("Theta (statsforecast)", "Theta (statsforecast)"),
    judged__caption=("The choice beside the last value", "Выбор и последнее значение"),
    judged__choice=("Choice", "Выбор"),
    judged__naive=("Last value", "Последнее значение"),
    measure__earlier_error=("Error at earlier origins", "Ошибка на более ранних отрезках"),
    measure__mase=("MASE: mean absolute error", "MASE: средняя абсолютная ошибка"),
    measure__median_mase=("Median of the same", "Медиана того же"),
    measure__mase_gain=("MASE gained over the last value", "Выигрыш в MASE к последнему значению"),
    measure__rmsse=("RMSSE: root mean squared error", "RMSSE: среднеквадратичная ошибка"),
    measure__wrmsse=("WRMSSE: the same, weighted by what was sold", "WRMSSE: то же, с весами по продажам"),
    measure__pinball_10=("Pinball loss, 10% quantile", "Функция потерь квантиля 10 %"),
    measure__pinball_50=("Pinball loss, forecast", "Функция потерь прогноза"),
    measure__pinball_90=("Pinball loss, 90% quantile", "Функция потерь квантиля 90 %"),
    measure__coverage_80=(
        "Periods in the 80% interval (right: aim)",
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
    section__sums=("Parts and sums", "Части и суммы"),
    sums__why=(
        "Groups and all series together are forecast by themselves, too; then all is made to add up. In the hold-out "
        "the sum of everything was off by {all}, by the series alone it would have been {alone}; the error of the "
        "series (MASE) is {mase} instead of {mase_alone}.",
        "Группы и сумма всех рядов прогнозируются и сами по себе, затем всё согласуется. На отложенном периоде общая "
        "сумма отличалась на {all}, по одним рядам отличалась бы на {alone}; ошибка рядов (MASE) — {mase} вместо "
        "{mase_alone}.",
    ),
    sums__caption=("Largest groups", "Крупнейшие группы"),
    sums__name=("Group", "Группа"),
    sums__own=("By itself", "Сама по себе"),
    sums__all=("everything", "всё вместе"),
    measure__mase_adding_up=("MASE after adding up", "MASE после согласования"),
    measure__error_share=("Error of sums, share of sales", "Ошибка сумм, доля продаж"),
    section__stock=("What to have in stock", "Сколько держать на складе"),
    stock__why=(
        "A missing piece costs {missing}, one left over {left}: the stock should do for {enough} of the series over "
        "{count} {periods}.",
        "Недостающая штука стоит {missing}, лишняя — {left}: запаса должно хватать для {enough} рядов (срок: {count} "
        "{periods}).",
    ),
    stock__judged=(
        "In the first {count} {periods} of the hold-out such a stock would have cost {cost} per series (stock for the "
        "last value going on: {naive}), and it would have done for {did}.",
        "За первые {count} {periods} отложенного периода такой запас обошёлся бы в {cost} на ряд (запас под последнее "
        "значение — {naive}); его хватило бы для {did} рядов.",
    ),
    stock__caption=("Stock for the {count} largest series", "Запас для крупнейших рядов: {count}"),
    stock__expected=("Expected to be sold", "Ожидаемые продажи"),
    stock__stock=("To have", "Держать"),
    measure__stock_cost=("Cost of the stock per series", "Стоимость запаса на ряд"),
    measure__stock_gain=("Saved per series against the last value", "Экономия на ряд к последнему значению"),
    measure__stock_gain_over_forecast=("Saved against stock for the forecast", "Экономия к запасу по прогнозу"),
    measure__stock_enough=("Series whose stock did", "Рядов, где запаса хватило"),
    section__terms=("Terms", "Термины"),
    terms__mase=("MASE", "MASE"),
    terms__mase_is=(
        "mean absolute error over the series' mean change from one period to the next; 1: as far off as the series "
        "usually moves in one period",
        "средняя абсолютная ошибка к среднему изменению ряда за период; 1: ошибка с обычное изменение за один период",
    ),
    terms__interval=("80% interval", "80-процентный интервал"),
    terms__interval_is=(
        "from the errors of the same methods at earlier origins; one period in ten lies below it, one above",
        "по ошибкам тех же методов на более ранних отрезках; один период из десяти ниже него, один — выше",
    ),
    reason__better_than_naive=(
        "Forecasts are better than the last value, beyond chance.",
        "Прогноз лучше последнего значения, и это не случайность.",
    ),
    reason__no_better_than_naive=(
        "Forecasts are not better than the last value, beyond chance: that it goes on is the plan to make.",
        "Прогноз не лучше последнего значения (с учётом случайности): планируйте, что оно повторится.",
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
        "{series} series sold nothing before the hold-out and are not forecast.",
        "Рядов без продаж до отложенного периода (без прогноза): {series}.",
    ),
    finding__constant=(
        "{series} series never changed before the hold-out: errors cannot be measured; they are not forecast.",
        "Рядов, которые до отложенного периода не менялись (ошибку не измерить, без прогноза): {series}.",
    ),
    finding__plan_ends=(
        "The plan has no price or promotion of the coming periods: the last price is taken for them, though errors in "
        "the hold-out are those of forecasts that knew the plan.",
        "В плане нет цен и акций будущих периодов: для них взята последняя цена, хотя ошибка на отложенном периоде — у "
        "прогнозов, которые план знали.",
    ),
    finding__no_intervals=(
        "There are no intervals: the history is too short for a single earlier origin.",
        "Интервалов нет: история слишком коротка даже для одного более раннего отрезка.",
    ),
    finding__intervals_off=(
        "{percent}% of the periods of the hold-out lay in the 80% interval: they were not like those before.",
        "В 80-процентный интервал попало {percent} % отложенных периодов: они не похожи на прежние.",
    ),
)
