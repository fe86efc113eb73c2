"""Texts of the page of a lifetime task, in both languages."""

from __future__ import annotations

from otklik.page.words import texts

TEXTS = texts(
    answer__holdout=(
        "In the last {days} days, which the model had not seen, {customers} customers made {actual} more purchases; "
        "{expected} were predicted: {percent} {direction}. Extrapolating each customer's rate so far would give "
        "{naive}.",
        "За последние {days} дн., которых модель не видела, клиенты ({customers}) сделали ещё {actual} покупок; "
        "прогноз — {expected}: на {percent} {direction}. Если бы каждый продолжал в прежнем темпе, было бы {naive}.",
    ),
    answer__fewer=("too few", "меньше"),
    answer__more=("too many", "больше"),
    answer__ranking=(
        "Ranking customers by {by_model} has a Gini coefficient of {gini} for later {spend}; ranking them by "
        "{by_naive} has {naive}. The difference is {gain}.",
        "Ранжирование клиентов по {by_model} даёт коэффициент Джини {gini} для последующих {spend}; ранжирование по "
        "{by_naive} — {naive}. Разница: {gain}.",
    ),
    answer__next=(
        "In the next {days} days {customers} customers are expected to make {purchases} purchases{value}.",
        "В следующие {days} дн. от клиентов ({customers}) ожидается покупок: {purchases}{value}.",
    ),
    answer__worth=(" worth {value}", " на сумму {value}"),
    by__value=("expected value", "ожидаемой ценности"),
    by__purchases=("expected purchases", "ожидаемому числу покупок"),
    by__spent=("what they have spent so far", "прежним тратам"),
    by__bought=("how often they have bought so far", "прежнему числу покупок"),
    spend__value=("amounts", "трат"),
    spend__purchases=("purchases", "покупок"),
    key__purchases=("Purchases in the next {days} days", "Покупок за следующие {days} дн."),
    key__value=("Value in the next {days} days", "Ценность за следующие {days} дн."),
    key__alive=("Customers expected to be active", "Ожидаемая доля активных клиентов"),
    key__alive_note=("{percent} bought in the last {days} days", "за последние {days} дн. покупали {percent}"),
    key__alive_unknown=("not identified by the data", "по данным не определить"),
    key__gini=("Gini of the ranking", "Коэффициент Джини"),
    key__gini_note=("past {by}: {naive}", "по прежним данным: {naive}"),
    section__next=("What is expected", "Чего ожидать"),
    next__caption=("All customers together, by horizon", "Все клиенты вместе, по горизонтам"),
    next__takeaway=(
        "The interval reflects parameter uncertainty, not changes in the market: see the hold-out results.",
        "Интервал отражает неопределённость параметров, но не перемены на рынке: смотрите результаты проверки.",
    ),
    next__days=("Days", "Дней"),
    next__purchases=("Purchases", "Покупок"),
    next__rate=("At the rate so far", "В прежнем темпе"),
    next__value=("Value", "Ценность"),
    section__holdout=("Hold-out results", "Проверка на отложенном периоде"),
    deciles__title=("Purchases per customer, by decile", "Покупок на клиента, по децилям"),
    deciles__takeaway=(
        "Where the forecast is right, the hollow dots lie on the lines. Largest error: decile {decile}, {expected} "
        "predicted, {actual} observed.",
        "Где прогноз верен, полые точки лежат внутри линий. Наибольшее расхождение: дециль {decile}, прогноз "
        "{expected}, факт {actual}.",
    ),
    deciles__alt=(
        "Observed purchases with intervals and predicted ones, by decile of customers",
        "Фактические покупки с интервалами и прогноз по децилям клиентов",
    ),
    deciles__actual=("observed", "факт"),
    deciles__expected=("predicted", "прогноз"),
    deciles__label=("decile {decile}", "дециль {decile}"),
    deciles__note=(
        "Decile 1 contains the customers with the most predicted purchases.",
        "В дециле 1 — клиенты с наибольшим ожидаемым числом покупок.",
    ),
    judged__caption=("Model against naive rule", "Модель и наивное правило"),
    judged__model=("Model", "Модель"),
    judged__naive=("Naive rule", "Наивное правило"),
    measure__gini=("Gini of the ranking, 1 = perfect", "Коэффициент Джини, 1 — идеально"),
    measure__gini_gain=("Improvement in Gini over the naive rule", "Прирост Джини к наивному правилу"),
    measure__top_tenth=("Share of later {spend} in the top decile", "Доля последующих {spend} в верхнем дециле"),
    measure__expected_to_actual=("Predicted purchases per observed one", "Покупок: прогноз на одну фактическую"),
    measure__mean_absolute_error=("Mean absolute error, purchases", "Средняя абсолютная ошибка, покупок"),
    measure__correlation=("Correlation of predicted and observed", "Корреляция прогноза и факта"),
    measure__rank_correlation=("Rank correlation of the same", "Ранговая корреляция того же"),
    judged__note=(
        "Naive rules: for rankings, {by_naive}; for numbers of purchases, each customer's own rate so far.",
        "Наивные правила: для ранжирования — по {by_naive}; для числа покупок — прежний темп каждого клиента.",
    ),
    section__model=("The model", "Модель"),
    model__caption=("Parameters, fitted on all purchases", "Параметры, оценённые по всем покупкам"),
    model__parameter=("Parameter", "Параметр"),
    model__value=("Value", "Значение"),
    model__interval=("95% interval", "95-процентный интервал"),
    model__likelihood=("{model}: log-likelihood {value}", "{model}: логарифм правдоподобия {value}"),
    model__used=("{model}, used: log-likelihood {value}", "{model}, используется: логарифм правдоподобия {value}"),
    model__not_told=("not identified", "не определяется"),
    model__note=(
        "Times are in units of one {unit}. The table of parameters also has the fit before the hold-out.",
        "Единица времени — {unit}. Оценки до отложенного периода — в таблице параметров.",
    ),
    unit__day=("day", "день"),
    unit__week=("week", "неделя"),
    unit__month=("month", "месяц"),
    model__nbd=("NBD", "NBD"),
    model__bg_nbd=("BG/NBD", "BG/NBD"),
    model__pareto_nbd=("Pareto/NBD", "Pareto/NBD"),
    model__gamma_gamma=("Gamma-Gamma", "Gamma-Gamma"),
    section__terms=("Terms", "Термины"),
    terms__purchase=("Purchase", "Покупка"),
    terms__purchase_is=(
        "a day on which a customer bought something; the first one makes somebody a customer and is not predicted",
        "день, когда клиент что-то купил; первый делает его клиентом и не прогнозируется",
    ),
    terms__alive=("Still a customer", "Ещё клиент"),
    terms__alive_is=(
        "a customer without a contract leaves silently; the model infers it from a pause that is long for this "
        "customer",
        "клиент без договора уходит молча; модель судит по паузе, долгой именно для него",
    ),
    terms__gini=("Gini of the ranking", "Коэффициент Джини"),
    terms__gini_is=(
        "how well a ranking puts those first who spend most later: 1 is perfect, 0 is random",
        "насколько ранжирование ставит первыми тех, кто потом больше тратит: 1 — идеально, 0 — случайно",
    ),
    reason__ranks_better=(
        "Expected value ranks customers significantly better than the past does.",
        "Ожидаемая ценность ранжирует клиентов значимо лучше, чем их прошлое.",
    ),
    reason__ranks_no_better=(
        "The ranking is not significantly better than ranking by the past: for choosing customers the simple rule is "
        "enough. The forecast of totals and the parameters may still be useful.",
        "Ранжирование не превосходит значимо ранжирование по прошлому: чтобы выбирать клиентов, хватает "
        "простого правила. Прогноз итогов и параметры всё же могут пригодиться.",
    ),
    **{
        f"{place}__too_few_{name}": text
        for place in ("reason", "finding")
        for name, text in {
            "customers": (
                "{count} customers had bought before the hold-out; {minimum} are needed.",
                "До отложенного периода покупали {count} клиентов; нужно {minimum}.",
            ),
            "repeaters": (
                "{count} customers had bought on more than one day before the hold-out; {minimum} are needed.",
                "До отложенного периода {count} клиентов покупали больше чем в один день; нужно {minimum}.",
            ),
            "later": (
                "There are {count} purchases in the hold-out; {minimum} are needed to evaluate a forecast.",
                "В отложенном периоде {count} покупок; чтобы судить о прогнозе, нужно {minimum}.",
            ),
        }.items()
    },
    finding__no_drop_out=(
        "The data do not show that customers leave: a model with drop-out raises the log-likelihood by "
        "{gain} only. So no probability of being active is given, and forecasts assume that everybody stays.",
        "По данным не видно, чтобы клиенты уходили: модель с уходом повышает логарифм правдоподобия лишь "
        "на {gain}. Поэтому вероятность остаться клиентом не указана, а в прогнозе остаются все.",
    ),
    finding__days_taken_together=(
        "There are many distinct histories: days were grouped in blocks of {days}.",
        "Различных историй много: дни объединены по {days}.",
    ),
    finding__amounts_not_positive=(
        "{customers} customers have a mean amount of 0 or less; they get the overall mean.",
        "У {customers} клиентов средняя сумма не больше 0: для них взята средняя по всем.",
    ),
    finding__amounts_not_finite=(
        "{rows} rows were excluded: their amount is not a finite number.",
        "Не учтено строк, где сумма — не конечное число: {rows}.",
    ),
    finding__amount_depends_on_frequency=(
        "Amount and frequency are correlated ({correlation}); the Gamma-Gamma model assumes independence, so values of "
        "frequent customers may be biased.",
        "Сумма связана с частотой (корреляция {correlation}), а модель Gamma-Gamma считает их "
        "независимыми: ценность частых покупателей может быть неточной.",
    ),
    finding__one_amount_for_all=(
        "Amounts differ too little, or too few are known, to distinguish customers: all get the mean.",
        "Суммы почти не различаются или их слишком мало: для всех взята средняя сумма.",
    ),
    finding__total_too_low=(
        "On the hold-out {percent}% fewer purchases were predicted than observed, more than chance explains: something "
        "changed that the model does not know (a season, growth).",
        "На отложенном периоде ожидалось на {percent} % меньше покупок, чем было, и случайность этого не объясняет: "
        "изменилось то, чего модель не знает (сезон, рост).",
    ),
    finding__total_too_high=(
        "On the hold-out {percent}% more purchases were predicted than observed, more than chance explains: something "
        "changed that the model does not know (a season, a competitor).",
        "На отложенном периоде ожидалось на {percent} % больше покупок, чем было, и случайность этого не объясняет: "
        "изменилось то, чего модель не знает (сезон, конкурент).",
    ),
)
