"""All texts of a yes-or-no question's page that do not come from the task, in both languages."""

from __future__ import annotations

from otklik.page.formats import Language
from otklik.page.words import Voice, Words, texts

_OWN = texts(
    # --- frame --------------------------------------------------------------------------------------------------------
    head__rows=("{rows} rows with a known answer", "строк с известным ответом: {rows}"),
    section__when=("Good days or good customers", "Удачные дни или нужные клиенты"),
    section__list=("The contact list", "Список обращений"),
    section__who=("Who responds", "Кто откликается"),
    section__models=("How good the models are", "Насколько хороши модели"),
    section__why=("What drives the predictions", "Что влияет на прогноз"),
    section__hidden=("What accuracy alone hides", "Чего не видно по доле верных ответов"),
    section__found=("Data findings", "Замечания к данным"),
    section__terms=("What the metrics mean", "Что значат показатели"),
    # --- models -------------------------------------------------------------------------------------------------------
    model__majority=("always the majority answer", "всегда самый частый ответ"),
    model__logistic_regression=("logistic regression", "логистическая регрессия"),
    model__decision_tree=("decision tree", "дерево решений"),
    model__random_forest=("random forest", "случайный лес"),
    model__naive_bayes=("naive Bayes", "наивный Байес"),
    model__linear_svc=("linear SVC", "линейный SVC"),
    model__xgboost=("gradient boosting (xgboost)", "градиентный бустинг (xgboost)"),
    model__perceptron=("neural network", "нейронная сеть"),
    model__sequence=("network over the order of events", "сеть по порядку событий"),
    split__time=("later in time", "более поздние строки"),
    split__random=("random split", "случайное разбиение"),
    calibration__raw=("raw", "без калибровки"),
    calibration__calibrated=("calibrated", "с калибровкой"),
    measure__auc=("AUC", "AUC"),
    # --- answer -------------------------------------------------------------------------------------------------------
    verdict__gain=("Worth using", "Стоит применять"),
    verdict__day_only=(
        "It recognises good days, but not provably good customers",
        "Модель узнаёт удачные дни; что она умеет выбирать клиентов, не доказано",
    ),
    verdict__too_few=(
        "Not proven: too little data to assess the model",
        "Не доказано: для проверки модели мало данных",
    ),
    verdict__unsure=("Promising, but not proven to pay off", "Обнадёживает, но окупаемость не доказана"),
    verdict__loses=("The ranking is good, but the list loses money", "Модель ранжирует хорошо, но список убыточен"),
    verdict__empty=("The list is empty", "Список пуст"),
    verdict__everybody=("Contact everybody: targeting does not pay", "Обращаться ко всем: отбор не окупается"),
    verdict__nothing=("Nothing to gain here", "Выигрыша здесь нет"),
    verdict__no_model=("No model yet", "Модели пока нет"),
    answer__ranks=(
        "On rows that it had not seen{later}, the chosen model ({model}) ranks the “yes” above the “no” in {pairs} "
        "of 100 such pairs (AUC {auc}, 95% {interval}); guessing gives 50.",
        "На строках, которых она не видела{later}, выбранная модель ({model}) ставит «да» выше «нет» в {pairs} из "
        "100 таких пар (AUC {auc}, 95\u00a0%: {interval}); угадывание даёт 50.",
    ),
    answer__later=(" (the last {share} in time)", " (последние {share} по времени)"),
    answer__nothing=(
        "Nothing to gain here: it is not proven that the chosen model ({model}) is better than always giving the "
        "majority answer (AUC {auc}, 95% {interval}; guessing gives 0.5).",
        "Выигрыша здесь нет: не доказано, что выбранная модель ({model}) лучше, чем всегда давать самый частый ответ "
        "(AUC {auc}, 95\u00a0%: {interval}; угадывание даёт 0,5).",
    ),
    answer__too_few=(
        "On the test rows, the chosen model ({model}) has an AUC of {auc}, but there are too few decision moments or "
        "answers for an interval, so the model cannot be assessed.",
        "На проверочных строках AUC выбранной модели ({model}) — {auc}, но для интервала слишком мало моментов "
        "решения или ответов, поэтому судить о модели нельзя.",
    ),
    answer__no_model=(
        "No model has been evaluated for this question yet.",
        "Ни одна модель для этого вопроса ещё не оценена.",
    ),
    answer__within=(
        "Part of this is recognising good days; within one decision moment{moment} it ranks {pairs} of 100 pairs "
        "correctly (grouped AUC {auc}, 95% {interval}), and only this part helps to choose customers at a given "
        "moment.",
        "Отчасти это умение узнавать удачные дни; внутри одного момента решения{moment} модель верно упорядочивает "
        "{pairs} из 100 пар ({auc}, 95\u00a0%: {interval}), и только это помогает выбирать клиентов в данный момент.",
    ),
    answer__within_all=(
        "Within one decision moment{moment} it ranks {pairs} of 100 pairs correctly (grouped AUC {auc}, 95% "
        "{interval}): this is what helps to choose customers at a given moment.",
        "Внутри одного момента решения{moment} модель верно упорядочивает {pairs} из 100 пар ({auc}, 95\u00a0%: "
        "{interval}): именно это помогает выбирать клиентов в данный момент.",
    ),
    answer__day_only=(
        "It is not proven to do more than recognise good days: within one decision moment{moment} the model does not "
        "reliably separate “yes” from “no” (grouped AUC {auc}, 95% {interval}), so it does not help to choose "
        "customers at a given moment.",
        "Не доказано, что модель умеет что-либо, кроме узнавания удачных дней: внутри одного момента решения{moment} "
        "она не отличает надёжно «да» от «нет» ({auc}, 95\u00a0%: {interval}) и выбирать клиентов в данный момент не "
        "помогает.",
    ),
    answer__best_tenth=(
        "The top decile responds {lift} times (95% {interval}) as often as the average of {rate}, and the top half "
        "contains {gain} of all responses.",
        "Лучшая десятая часть откликается чаще среднего в {lift} раза (95\u00a0%: {interval}; среднее — {rate}), а на "
        "лучшую половину приходится {gain} всех откликов.",
    ),
    answer__overall_only=(
        "The response rate over all rows is {rate} (95% {interval}).",
        "Доля отклика по всем строкам — {rate} (95\u00a0%: {interval}).",
    ),
    answer__list=(
        "Contacting the {customers} customers of the list would have brought {listed} {on}, "
        "against {all} for contacting all {everybody}{random}{miscalibrated}; {effect}.",
        "Обращение к клиентам из списка (их {customers}) {on} принесло бы {listed} "
        "против {all} при обращении ко всем ({everybody}){random}{miscalibrated}; {effect}.",
    ),
    answer__list_expected=(
        "The list holds {customers} of {everybody} customers and is expected to bring {listed} against {all} for "
        "contacting all{miscalibrated}; {effect}.",
        "В списке {customers} из {everybody} клиентов; ожидаемая прибыль — {listed} против {all} при обращении ко "
        "всем{miscalibrated}; {effect}.",
    ),
    answer__list_unsure=(
        "It is not proven that a list pays: contacting its {customers} customers brings {profit} {on}, "
        "but the 95% interval {interval} includes zero; contacting all {everybody} would bring {all}.",
        "Окупаемость списка не доказана: обращение к его клиентам ({customers}) {on} приносит "
        "{profit}, но интервал 95\u00a0% {interval} включает ноль; обращение ко всем ({everybody}) принесло бы {all}.",
    ),
    answer__list_loses=(
        "The list loses money: contacting its {customers} customers brings {listed} {on}; contacting all "
        "{everybody} would bring {all}.",
        "Список убыточен: обращение к его клиентам ({customers}) {on} приносит {listed}; обращение ко всем "
        "({everybody}) принесло бы {all}.",
    ),
    answer__list_everybody=(
        "Targeting does not pay at this cost and value: contacting all {everybody} brings {all}, the list of "
        "{customers} brings {listed} {on}; {effect}.",
        "При такой цене обращения и ценности отклика отбор не окупается: обращение ко всем ({everybody}) приносит "
        "{all}, список из {customers} — {listed} {on}; {effect}.",
    ),
    answer__effect_unknown=(
        "this is response, not effect, until a control group has been evaluated",
        "это отклик, а не эффект, пока не измерена контрольная группа",
    ),
    answer__effect_known=(
        "the list predicts responses; the measured effect of contacting is {effect} (95% {interval}, campaign "
        "“{campaign}”)",
        "список предсказывает отклики; измеренный эффект обращений — {effect} (95 %: {interval}, кампания "
        "«{campaign}»)",
    ),
    answer__list_empty=(
        "The list is empty: no customer's expected value covers the cost of a contact.",
        "Список пуст: ни у одного клиента ожидаемая ценность не покрывает цену обращения.",
    ),
    answer__list_unpaid=(
        "The list is empty: the budget of {budget} pays for no contact.",
        "Список пуст: бюджета {budget} не хватает ни на одно обращение.",
    ),
    answer__interval=("{value} (95% {interval})", "{value} (95\u00a0%: {interval})"),
    answer__on_past=("on past answers", "на прошлых ответах"),
    answer__on_later=("on the last {share} of rows in time", "на последних по времени строках ({share})"),
    answer__random=(
        " and {random} for a random selection of the same size",
        " и {random} при случайном отборе стольких же клиентов",
    ),
    answer__miscalibrated=(
        ", but the response rate has shifted, so the amounts are rough",
        ", но доля отклика сместилась, и суммы приблизительны",
    ),
    answer__no_costs=(
        "The task declares no cost of a contact and no value of a response, so there is no list and no profit "
        "estimate.",
        "В задаче не указаны цена обращения и ценность отклика, поэтому списка и прибыли здесь нет.",
    ),
    figure__rate=("response rate", "доля отклика"),
    figure__rate_note=("95%: {interval}", "95\u00a0%: {interval}"),
    figure__auc=("AUC, {split}", "AUC, {split}"),
    figure__auc_note=("95%: {interval}\nguessing 0.5", "95\u00a0%: {interval}\nугадывание 0,5"),
    figure__within=("grouped AUC (within a moment)", "AUC внутри момента"),
    figure__within_note=("95%: {interval}\nguessing 0.5", "95\u00a0%: {interval}\nугадывание 0,5"),
    figure__lift=("lift of the top decile", "лифт верхнего дециля"),
    figure__lift_note=("95%: {interval}\naverage 1", "95\u00a0%: {interval}\nв среднем 1"),
    figure__profit=("profit of the list", "прибыль списка"),
    figure__profit_note=("95%: {interval}\n{on}", "95\u00a0%: {interval}\n{on}"),
    figure__profit_expected=("expected, not yet observed", "ожидаемая, ещё не наблюдалась"),
    warn__miscalibrated=(
        "Miscalibrated: the response rate has shifted. On the test part the mean prediction is {predicted}, the "
        "observed rate {observed}. Trust the order of the list, not the probabilities or the amounts.",
        "Калибровка нарушена: доля отклика сместилась. На проверочной части средний прогноз — {predicted}, а на деле — "
        "{observed}. Доверяйте порядку в списке, а не вероятностям и суммам.",
    ),
    warn__response=(
        "Response, not effect. The report shows who responds, not who responds because of the contact. Only a "
        "control group separates the two{control}.",
        "Отклик, а не эффект. Отчёт показывает, кто откликается, а не кто откликается благодаря обращению. "
        "Различить это может только контрольная группа{control}.",
    ),
    warn__effect=(
        "Response and effect. The scores say who responds; the effect of the contact was {effect} (95% {interval}), "
        "measured against the control group of the campaign “{campaign}”, for which the list predicted a response of "
        "{predicted}.",
        "Отклик и эффект. Оценки говорят, кто откликается; эффект обращения — {effect} (95 %: {interval}) "
        "относительно контрольной группы кампании «{campaign}», для которой список предсказывал отклик {predicted}.",
    ),
    warn__response_only=(
        "Response, not effect. The report shows where the answer is “yes”, not what would change it.",
        "Отклик, а не эффект. Отчёт показывает, где ответ «да», а не что его изменит.",
    ),
    warn__control=(
        "; held out from the list for this: {rows}",
        "; для неё из списка отложено клиентов: {rows}",
    ),
    warn__old_list=(
        "The decisions of this list are in the past: {first} – {last}, {years} before this page was written. It shows "
        "whom the model would have chosen then; to act on it, ingest newer data.",
        "Решения этого списка в прошлом: {first} – {last}, за {years} до этой страницы. Он показывает, кого модель "
        "выбрала бы тогда; чтобы действовать, загрузите новые данные.",
    ),
    warn__years=("year|years|years", "год|года|лет"),
    warn__leaks=(
        "Not usable for targeting: {features} — known only after the decision. Rows “with leaks” show the inflated "
        "results.",
        "Для отбора не годится: {features} — становится известно лишь после решения. Строки «с утечкой» "
        "показывают завышенный результат.",
    ),
    # --- attributes ---------------------------------------------------------------------------------------------------
    who__lead=(
        "Bars: share of the rows. Dots: response rate with its 95% interval (Wilson); the dashed line is the average, "
        "{overall}. Coloured and bold: significantly different from the average; “other” and levels with fewer than "
        "50 rows are not tested. Each scale starts at zero. These are differences between groups, not effects of the "
        "attribute.",
        "Полосы: доля строк. Точки: доля отклика с 95-процентным интервалом (Уилсон); пунктир — среднее, "
        "{overall}. Цветом и жирным: значимо отличается от среднего; «прочие» и значения, у которых "
        "меньше 50 строк, не проверяются. Каждая шкала начинается с нуля. Это различия между группами, а не влияние "
        "признака.",
    ),
    who__quoted=("“{level}”", "«{level}»"),
    who__share=("share", "доля"),
    who__rate=("respond", "отклик"),
    who__takeaway=(
        "{best}: {best_rate} respond; {worst}: {worst_rate}.",
        "{best}: откликаются {best_rate}; {worst}: {worst_rate}.",
    ),
    who__takeaway_up=("{best} stands out: {best_rate} respond.", "Выделяется {best}: откликаются {best_rate}."),
    who__takeaway_down=(
        "{worst} stands out: only {worst_rate} respond.",
        "Выделяется {worst}: откликаются лишь {worst_rate}.",
    ),
    who__takeaway_none=(
        "No level differs reliably from the average of {overall}.",
        "Ни одно значение не отличается надёжно от среднего {overall}.",
    ),
    who__coarse=(
        "“{wide}” is too coarse: {wide_rate} respond against {overall} overall, but {inner} only {inner_rate} and "
        "{outer} {outer_rate}.",
        "«{wide}» — слишком грубо: откликаются {wide_rate} против {overall} в среднем, но {inner} — только "
        "{inner_rate}, а {outer} — {outer_rate}.",
    ),
    who__alt=(
        "Response rate by {attribute}: {levels}. Average {overall}.",
        "Доля отклика по признаку «{attribute}»: {levels}. Среднее {overall}.",
    ),
    who__more=("All attributes as a table ({n})", "Все признаки в таблице ({n})"),
    who__more_note=(
        "{shown} of {n} attributes are plotted: those that separate the answers best. The table has all of them.",
        "На графиках {shown} из {n} признаков: те, что лучше всего разделяют ответы. В таблице — все.",
    ),
    who__level=("Level", "Значение"),
    who__rows=("Rows", "Строк"),
    who__positives=("Responses", "Откликов"),
    who__interval=("95% interval", "95\u00a0% интервал"),
    who__none=("No attributes were analysed.", "Признаки не анализировались."),
    level__missing=("(missing)", "(нет данных)"),
    level__other=("(other)", "(прочие)"),
    level__known=("known", "известно"),
    level__true=("yes", "да"),
    level__false=("no", "нет"),
    level__below=("under {high}", "меньше {high}"),
    level__above=("{low} and over", "{low} и больше"),
    level__after_only=(
        "known only after the decision: not used for targeting",
        "известно лишь после решения: для отбора не используется",
    ),
    # --- time ---------------------------------------------------------------------------------------------------------
    when__rate_takeaway=(
        "The response rate changes from {first} in the first fifth of the rows to {last} in the last.",
        "Доля отклика меняется от {first} в первой пятой части строк до {last} в последней.",
    ),
    when__rate_steady=(
        "No reliable difference between the response rate of the first fifth of the rows ({first}) and the last "
        "({last}).",
        "Надёжной разницы между долей отклика в первой пятой части строк ({first}) и в последней ({last}) нет.",
    ),
    when__rate_alt=(
        "Response rate per {grain} from {start} to {end}: by fifths of the rows {fifths}.",
        "Доля отклика по времени ({grain}) с {start} по {end}: по пятым частям строк {fifths}.",
    ),
    when__grain_hour=("hour", "час"),
    when__grain_6h=("6 hours", "6 часов"),
    when__grain_day=("day", "день"),
    when__grain_week=("week", "неделя"),
    when__grain_month=("month", "месяц"),
    when__grain_quarter=("quarter", "квартал"),
    when__average=("average {overall}", "среднее {overall}"),
    when__axis_rate=("response rate per {grain}, with 95% interval", "доля отклика ({grain}), интервал 95\u00a0%"),
    when__axis_rows=("rows", "строк"),
    when__no_time=(
        "This data has no time order, so the models are evaluated on a random split only; whether the result holds "
        "later is unknown.",
        "В этих данных нет порядка во времени, поэтому модели проверены только на случайном разбиении; сохранится ли "
        "результат в будущем — неизвестно.",
    ),
    when__one_moment=(
        "All rows share one moment, so nothing can be said about time.",
        "У всех строк один момент, поэтому о времени сказать нечего.",
    ),
    when__lead=(
        "A good AUC over all moments can come from recognising which moments are good. If you choose today, only "
        "telling apart the rows of one moment{moment} helps. So every model is evaluated both ways.",
        "Высокий AUC по всем моментам может объясняться умением узнавать удачные моменты. Тому, кто выбирает сегодня, "
        "помогает лишь умение различать строки одного момента{moment}. Поэтому каждая модель проверена обоими "
        "способами.",
    ),
    when__split_title=(
        "Overall, and within one decision moment{moment}",
        "В целом и внутри одного момента решения{moment}",
    ),
    when__split_takeaway=(
        "Of the {above} by which {model} exceeds guessing, {within} remain within one moment: that part is about "
        "customers, the rest is about days.",
        "Из {above} сверх угадывания ({model}) внутри одного момента остаётся {within}: это различие клиентов, "
        "остальное — различие дней.",
    ),
    when__split_takeaway_plain=(
        "AUC of {model}: {auc} overall, {auc_within} within one moment; guessing gives {guess}.",
        "AUC ({model}): {auc} в целом, {auc_within} внутри одного момента; угадывание даёт {guess}.",
    ),
    when__split_alt=(
        "AUC over all pairs and within one decision moment: {models}.",
        "AUC по всем парам и внутри одного момента решения: {models}.",
    ),
    when__within=("within one moment", "внутри одного момента"),
    when__overall=("overall", "в целом"),
    when__guess=("guessing", "угадывание"),
    # --- list ---------------------------------------------------------------------------------------------------------
    list__lead=(
        "A contact costs {cost}, a response is worth {value}: contacting pays above a probability of {threshold}.",
        "Обращение стоит {cost}, отклик приносит {value}: обращаться выгодно при вероятности выше {threshold}.",
    ),
    list__none=(
        "There is no list: the task declares no cost of a contact and no value of a response.",
        "Списка нет: в задаче не указаны цена обращения и ценность отклика.",
    ),
    list__not_yet=("No list has been made yet.", "Список ещё не составлен."),
    list__budget=("The budget of {budget} limits the list.", "Список ограничен бюджетом {budget}."),
    list__curve_takeaway=(
        "Profit is highest at about {best} contacts; the list stops at {n}.",
        "Прибыль наибольшая примерно при {best} обращениях; список заканчивается на {n}.",
    ),
    list__curve_alt=(
        "Profit by number of customers contacted, best first. The list of {n} brings {profit}; all {everybody} "
        "would bring {all}.",
        "Прибыль по числу обращений, лучшие первыми. Список из {n} приносит {profit}; все {everybody} принесли бы "
        "{all}.",
    ),
    list__axis_customers=("customers contacted, best first", "число обращений, лучшие первыми"),
    list__axis_profit=("profit{currency}", "прибыль{currency}"),
    list__expected=("expected by the model", "ожидание модели"),
    list__mark=("list: {n}", "список: {n}"),
    list__policy_caption=("Profit by selection rule", "Прибыль при каждом способе отбора"),
    list__policy=("Selection rule", "Способ отбора"),
    list__contacts=("Contacts", "Обращений"),
    list__expected_profit=("Expected profit", "Ожидаемая прибыль"),
    list__past_profit=("On past answers", "На прошлых ответах"),
    list__control_cost=("Cost of control", "Цена контроля"),
    list__policy_note=(
        "“On past answers”: selected by out-of-fold probabilities. Values are before the control group is held out; "
        "the last column is the expected cost of holding it out.",
        "«На прошлых ответах»: отбор по вероятностям моделей, не видевших ответа этой строки. Значения даны до "
        "выделения контрольной группы; последний столбец — ожидаемая цена контрольной группы.",
    ),
    list__later_caption=(
        "Profit by selection rule on the last {share} of rows in time",
        "Прибыль при каждом способе отбора на последних по времени строках ({share})",
    ),
    list__later_profit=("Profit", "Прибыль"),
    list__later_note=(
        "Selected by the model trained on earlier rows only. The next table is about the current list, with past "
        "answers out of fold.",
        "Отбор по модели, обученной только на более ранних строках. Следующая таблица — о нынешнем списке; прошлые "
        "ответы предсказаны моделями, которые их не видели.",
    ),
    policy__random=("random selection of the same size", "случайный отбор того же размера"),
    policy__list=("the list", "список"),
    policy__all=("contact all", "обратиться ко всем"),
    policy__none=("contact nobody", "ни к кому"),
    policy__oracle=("only those who say yes (unreachable)", "только к сказавшим «да» (недостижимо)"),
    list__top_caption=("Top {n} of the list", "Первые {n} в списке"),
    list__rank=("Rank", "Место"),
    list__key=("Key", "Ключ"),
    list__arm=("Arm", "Группа"),
    list__probability=("Probability", "Вероятность"),
    list__value=("Expected profit", "Ожидаемая прибыль"),
    list__reasons=("Why", "Почему"),
    list__how_logistic_regression=(
        "Why: what the row's values add to the log-odds of an average row.",
        "Почему: что значения строки прибавляют к логарифму шансов средней строки.",
    ),
    **dict.fromkeys(
        ("list__how_decision_tree", "list__how_random_forest"),
        (
            "Why: how the share of yes changes at each question on the row's way through the trees (path attribution; "
            "these are not Shapley values).",
            "Почему: как меняется доля «да» на каждом вопросе по пути строки через деревья (разложение по пути; это не "
            "значения Шепли).",
        ),
    ),
    list__how_xgboost=(
        "Why: exact Shapley values of the trees (TreeSHAP), in log-odds.",
        "Почему: точные значения Шепли для деревьев (TreeSHAP), в логарифмах шансов.",
    ),
    list__how_sequence=(
        "Why: what the row's values add to the log-odds of the mean row, and what its events add above their mean.",
        "Почему: что значения строки прибавляют к логарифму шансов средней строки, а события — сверх своего среднего.",
    ),
    arm__contact=("contact", "обращение"),
    arm__control=("control", "контроль"),
    list__arms=(
        "To contact: {contact}. Held out as control: {control}.",
        "К обращению: {contact}. Отложено в контроль: {control}.",
    ),
    # --- models -------------------------------------------------------------------------------------------------------
    models__window=("window {n}", "окно {n}"),
    models__inside=("mean of the windows", "среднее по окнам"),
    models__later=("later rows", "более поздние строки"),
    models__choice_caption=("How the model was chosen", "Как выбрана модель"),
    models__choice=(
        "The model is selected on windows inside the training part, each evaluated separately; a single tree is "
        "selected only if it leads by more than one standard error. On the later rows the best candidate was better "
        "by {regret}.",
        "Модель выбрана по окнам внутри обучающей части, каждое оценено отдельно; одиночное дерево берётся, только "
        "если опережает больше чем на одну стандартную ошибку. На более поздних строках лучший кандидат опережал её "
        "на {regret}.",
    ),
    models__lead=(
        "All results are out of sample. “Later in time” is the last {share} of rows in time, as in production; “random "
        "split” is {folds}-fold cross-validation. Intervals are 95%, by bootstrap.",
        "Каждая модель предсказывала ответы, которых не видела. «Более поздние строки» — последние {share} по "
        "времени, как в реальной работе; «случайное разбиение» — перекрёстная проверка, частей: {folds}. Интервалы — "
        "95\u00a0%, бутстреп.",
    ),
    models__lead_random=(
        "All results are out of sample, by {folds}-fold cross-validation on a random split. Intervals are 95%, by "
        "bootstrap.",
        "Каждая модель предсказывала ответы, которых не видела: перекрёстная проверка на случайном "
        "разбиении, частей: {folds}. Интервалы — 95\u00a0%, бутстреп.",
    ),
    models__main_caption=(
        "Scoreboard: {split}, without leaks, calibrated",
        "Сравнение моделей: {split}, без утечек, с калибровкой",
    ),
    models__main_takeaway=(
        "Accuracy at 0.5 says little: always giving the majority answer has {majority}, {model} {accuracy}; what "
        "counts is the ranking, AUC {auc}.",
        "Доля верных ответов при 0,5 говорит мало: самый частый ответ верен в {majority} случаев, {model} — в "
        "{accuracy}; важен порядок, AUC {auc}.",
    ),
    models__ways_caption=("The same models, evaluated four ways", "Те же модели, оценённые четырьмя способами"),
    models__ways_caption_leaks=("The same models with and without leaks", "Те же модели с утечкой и без"),
    models__ways_caption_splits=(
        "The same models on later rows and on a random split",
        "Те же модели на более поздних строках и на случайном разбиении",
    ),
    models__cannot=("not usable", "применять нельзя"),
    models__usable=("usable", "применимо"),
    models__leaks_with=("with leaks", "с утечкой"),
    models__leaks_without=("without leaks", "без утечек"),
    models__full=("All {n} rows of the scoreboard", "Вся таблица сравнения (строк: {n})"),
    models__model=("Model", "Модель"),
    models__accuracy=("Accuracy at 0.5", "Доля верных при 0,5"),
    models__auc=("AUC", "AUC"),
    models__within=("Grouped AUC", "AUC внутри момента"),
    models__pr=("PR\u2011AUC", "PR\u2011AUC"),
    models__lift=("Lift 10%", "Лифт 10\u00a0%"),
    models__gain=("Gain 50%", "Охват 50\u00a0%"),
    models__brier=("Brier", "Брайер"),
    models__log_loss=("Log loss", "Лог-потери"),
    models__ece=("ECE", "ECE"),
    models__mean=("Predicted", "Прогноз"),
    models__rate=("Observed", "Факт"),
    models__profit=("Profit", "Прибыль"),
    models__split=("Split", "Проверка"),
    models__leaks=("Leaks", "Утечка"),
    models__calibration=("Calibration", "Калибровка"),
    models__rows=("Rows", "Строк"),
    models__below=("below majority", "хуже частого ответа"),
    models__miscalibrated_mark=("miscalibrated", "калибровка нарушена"),
    models__miscalibrated_note=(
        "Miscalibrated: the response rate has shifted. Predicted and observed rates differ by more than the declared "
        "limit.",
        "Калибровка нарушена: доля отклика сместилась. Прогноз расходится с фактом больше заданного предела.",
    ),
    models__champion=("champion", "чемпион"),
    metric__auc=("AUC", "AUC"),
    metric__auc_within=("grouped AUC", "AUC внутри момента"),
    metric__log_loss=("log loss", "лог-потери"),
    models__champion_text=(
        "Champion: {model}, selected by {metric} ({value} on the training part); trained as of {moment}.",
        "Чемпион: {model}; критерий выбора — {metric}, в обучающей части {value}; обучение по состоянию на {moment}.",
    ),
    models__challenger_lost=(
        "A later training, as of {moment}, selected {model} ({metric} {value}). It is not better by {margin}, so the "
        "older model stays in use, and this page shows its evaluation.",
        "Более позднее обучение, по состоянию на {moment}, выбрало: {model} ({metric} {value}). Оно не лучше на "
        "{margin}, поэтому работает прежняя модель, и на этой странице — её проверка.",
    ),
    models__challenger_other=(
        "The training of this run, as of {moment}, selected {model} ({metric} {value}). The scores come from another "
        "model, and this page shows the evaluation of that one.",
        "Обучение этого запуска, по состоянию на {moment}, выбрало: {model} ({metric} {value}). Оценки дала другая "
        "модель, и на этой странице — её проверка.",
    ),
    models__no_curves=(
        "The curves of this model can no longer be drawn: its predictions were replaced by later training runs and "
        "vacuumed.",
        "Кривые этой модели уже не построить: её прогнозы заменены более поздними обучениями и удалены при очистке.",
    ),
    models__no_champion=("There is no champion.", "Чемпиона нет."),
    models__curves=("The same result, curve by curve", "Тот же результат на кривых"),
    models__curves_lead=(
        "Blue: {model}{split}. Grey: the other models. Dashed: chance level.",
        "Синим: {model}{split}. Серым: другие модели. Пунктиром: случайный уровень.",
    ),
    curve__roc=("ROC", "ROC-кривая"),
    curve__roc_takeaway=(
        "With {fpr} of the “no” selected, {tpr} of the “yes” are found.",
        "Когда отобрано {fpr} «нет», найдено {tpr} «да».",
    ),
    curve__roc_x=("share of “no” selected (false positive rate)", "доля отобранных «нет»"),
    curve__roc_y=("share of “yes” found (recall)", "доля найденных «да»"),
    curve__pr=("Precision and recall", "Точность и полнота"),
    curve__pr_takeaway=(
        "At a recall of one half, {precision} of those selected are “yes”, against {base} overall.",
        "Когда найдена половина «да», среди отобранных «да» — {precision} против {base} в среднем.",
    ),
    curve__pr_x=("share of “yes” found (recall)", "доля найденных «да» (полнота)"),
    curve__pr_y=("share of “yes” among those selected (precision)", "доля «да» среди отобранных (точность)"),
    curve__gain=("Cumulative gain", "Накопленный охват"),
    curve__gain_takeaway=(
        "The top half contains {gain} of all responses.",
        "В верхней половине — {gain} всех откликов.",
    ),
    curve__gain_x=("share contacted, best first", "доля обращений, лучшие первыми"),
    curve__gain_y=("share of all responses", "доля всех откликов"),
    curve__lift=("Lift", "Лифт"),
    curve__lift_takeaway=(
        "The top decile responds {lift} times as often as the average.",
        "Лучшая десятая часть откликается чаще среднего в {lift} раза.",
    ),
    curve__lift_x=("share contacted, best first", "доля обращений, лучшие первыми"),
    curve__lift_y=("times the average rate", "во сколько раз чаще среднего"),
    curve__calibration=("Calibration", "Калибровка"),
    curve__calibration_takeaway=(
        "Mean prediction {predicted}, observed {observed}.",
        "Средний прогноз {predicted}, факт {observed}.",
    ),
    curve__miscalibrated=(
        "Miscalibrated: the response rate has shifted. Predicted {predicted}, observed {observed}.",
        "Калибровка нарушена: доля отклика сместилась. Прогноз {predicted}, факт {observed}.",
    ),
    curve__calibration_note=("Dashed: perfect calibration.", "Пунктиром: идеальная калибровка."),
    curve__calibration_note_raw=(
        "Dashed: perfect calibration. Grey: before calibration.",
        "Пунктиром: идеальная калибровка. Серым: до калибровки.",
    ),
    curve__calibration_x=("predicted probability", "предсказанная вероятность"),
    curve__calibration_y=("observed share (95% interval)", "наблюдаемая доля (интервал 95\u00a0%)"),
    curve__alt=("{title}: {takeaway}", "{title}: {takeaway}"),
    confusion__title=("Confusion matrix at the threshold", "Матрица ошибок при пороге"),
    confusion__takeaway=(
        "Rows chosen above a probability of {threshold}: {taken}; “yes” among them: {hit}; “yes” missed: {missed}.",
        "При вероятности выше {threshold} выбрано строк: {taken}; из них «да» — {hit}, упущено «да» — {missed}.",
    ),
    confusion__caption=("Threshold {threshold}: {origin}", "Порог {threshold}: {origin}"),
    confusion__cost=("cost ÷ value", "цена ÷ ценность"),
    confusion__half=("0.5, because cost and value are not declared", "0,5, так как цена и ценность не указаны"),
    confusion__chosen=("Chosen", "Выбраны"),
    confusion__left=("Not chosen", "Не выбраны"),
    confusion__yes=("said “yes”", "сказали «да»"),
    confusion__no=("said “no”", "сказали «нет»"),
    # --- explanations -------------------------------------------------------------------------------------------------
    why__none=("No explanations were computed.", "Объяснения не рассчитаны."),
    why__odds=("Odds ratios (logistic regression)", "Отношения шансов (логистическая регрессия)"),
    why__odds_takeaway=(
        "{label} changes the odds of a “yes” most: by a factor of {value}.",
        "{label}: сильнее всего меняет шансы «да» — в {value} раза.",
    ),
    why__odds_rare=(
        "No ratio here compares two levels of {n} rows or more each.",
        "Нет отношений шансов, где в обоих уровнях не меньше {n} строк.",
    ),
    why__odds_note=(
        "Everything else equal, by how much the odds of a “yes” are multiplied: per declared unit of a number, or "
        "against the named level; “× e”: the value plus one is multiplied by 2.7. Shrunken: regularisation pulls them "
        "towards 1, so the true ratios are likely stronger, and the intervals are not classical confidence intervals. "
        "Associations, not causes.",
        "При прочих равных — во сколько раз умножаются шансы «да»: на указанную единицу числа или против названного "
        "значения; «× e» — величина, увеличенная на единицу, растёт в 2,7 раза. Оценки сжаты: регуляризация "
        "приближает их к 1, истинные, вероятно, сильнее, а интервалы — не классические доверительные. Это связи, а не "
        "причины.",
    ),
    why__odds_lower=("← less likely", "← реже"),
    why__odds_higher=("more likely →", "чаще →"),
    why__odds_alt=("Odds ratios: {weights}.", "Отношения шансов: {weights}."),
    why__odds_all=("All {n} odds ratios", "Все отношения шансов ({n})"),
    why__per=("{feature} ({unit})", "{feature} ({unit})"),
    why__against=("{feature}: {level} (against {reference})", "{feature}: {level} (против {reference})"),
    why__ratio=("Odds ratio", "Отношение шансов"),
    why__reference=("Against", "Против"),
    why__note=("Note", "Примечание"),
    note__shrunken_normal_interval=(
        "shrunken; interval from the bootstrap’s standard error",
        "сжато; интервал по стандартной ошибке бутстрепа",
    ),
    why__permutation=("Permutation importance ({model})", "Важность перестановкой ({model})"),
    why__permutation_takeaway=(
        "Shuffling “{feature}” hurts the model most. Numbers: the decrease in AUC; the lines span the minimum to the "
        "maximum of five shuffles.",
        "Сильнее всего AUC падает при перемешивании признака «{feature}». Числа — на сколько падает AUC; отрезки — от "
        "наименьшего до наибольшего из пяти перемешиваний.",
    ),
    why__reasons_agree=(
        "The reasons of the scores agree: “{feature}” has the largest share, {share}.",
        "Причины оценок с этим согласуются: наибольшая доля — у признака «{feature}», {share}.",
    ),
    why__reasons_differ=(
        "“{feature}” dominates the reasons of the scores ({share} of their sum), though shuffling it costs only "
        "{lost}: a reason measures how far a value moves the score of its row, shuffling how much the ranking "
        "deteriorates. The two differ if other features carry much the same information, or nearly all rows have the "
        "same value.",
        "Причины оценок чаще всего называют «{feature}» ({share} их суммы), хотя его перемешивание стоит лишь {lost}: "
        "причина говорит, насколько значение сдвигает оценку строки, перемешивание — что теряет порядок строк. Они "
        "расходятся, если другие признаки несут почти ту же информацию или почти у всех строк одно значение.",
    ),
    why__impurity=("Impurity importance ({model})", "Важность по неоднородности ({model})"),
    why__impurity_takeaway=(
        "Inside the trees “{feature}” separates the answers most; this measure favours features with many values.",
        "Внутри деревьев лучше всего разделяет ответы признак «{feature}»; эта мера завышает признаки с многими "
        "значениями.",
    ),
    why__importance_alt=("{title}: {weights}.", "{title}: {weights}."),
    why__dependence=("Partial dependence ({model})", "Частная зависимость ({model})"),
    why__dependence_takeaway=(
        "Highest at {highest}: {high}; lowest at {lowest}: {low}.",
        "Больше всего при {highest}: {high}; меньше всего при {lowest}: {low}.",
    ),
    why__dependence_missing=(" If it is missing: {rate}.", " При пропуске: {rate}."),
    why__dependence_flat=(
        "The probability hardly depends on it: {rate} at every point.",
        "Вероятность от него почти не зависит: всюду {rate}.",
    ),
    why__dependence_note=(
        "Mean probability, before calibration, if every row had this value and all else stayed the same.",
        "Средняя вероятность (до калибровки), если бы у всех было это значение, а остальное не менялось.",
    ),
    # --- hidden -------------------------------------------------------------------------------------------------------
    hidden__majority=(
        "Always giving the majority answer is right in {majority} of the rows ({way}).{below}",
        "Самый частый ответ верен в {majority} строк ({way}).{below}",
    ),
    hidden__below=(" Below it: {models}.", " Хуже этого: {models}."),
    hidden__leak=(
        "{features}: known only after the decision. With it the AUC would be {with_leaks} instead of {without} "
        "({split}), but it cannot be used for targeting.",
        "{features}: известно лишь после решения. С утечкой AUC был бы {with_leaks} вместо {without} ({split}), но "
        "для отбора её использовать нельзя.",
    ),
    hidden__challenger_gone=(
        "{model}: on a random split the AUC is {random}, {gain} above the best simpler model; on later rows it is "
        "{told}, and {simple} reaches {best}. The gain does not hold over time.",
        "{model}: на случайном разбиении AUC {random}, на {gain} выше лучшей из более простых моделей; на более "
        "поздних строках — {told}, а {simple} даёт {best}. Со временем выигрыш исчезает.",
    ),
    hidden__challenger_none=(
        "{model}: not worth it here. AUC {told} ({split}); {simple} reaches {best}.",
        "{model}: здесь не окупается. AUC {told} ({split}); {simple} даёт {best}.",
    ),
    hidden__challenger_unsure=(
        "{model}: AUC {told} ({split}), above {best} ({simple}), but not significantly.",
        "{model}: AUC {told} ({split}), выше {best} ({simple}), но незначимо.",
    ),
    hidden__challenger_better=(
        "{model}: AUC {told} ({split}), significantly above {best} ({simple}).",
        "{model}: AUC {told} ({split}), значимо выше {best} ({simple}).",
    ),
    hidden__rate=(
        "The response rate changes over time: {fifths} by fifths of the rows in time order. A random split hides this.",
        "Доля отклика меняется со временем: {fifths} по пятым частям строк. Случайное разбиение это скрывает.",
    ),
    hidden__split_harder=(
        "On a random split the AUC of {model} is {random}, on later rows {time}: the future is harder to predict than "
        "held-out rows of the same period.",
        "На случайном разбиении AUC модели «{model}» — {random}, на более поздних строках — {time}: будущее "
        "предсказать труднее, чем строки того же периода.",
    ),
    hidden__split=(
        "On a random split the AUC of {model} is {random}, on later rows {time}.",
        "На случайном разбиении AUC модели «{model}» — {random}, на более поздних строках — {time}.",
    ),
    hidden__caveats=("Caveats of this data", "Оговорки к этим данным"),
    # --- findings -----------------------------------------------------------------------------------------------------
    found__kind=("Finding", "Замечание"),
    found__feature=("Feature", "Признак"),
    found__detail=("Detail", "Подробности"),
    found__value=("Value", "Значение"),
    found__action=("Action", "Действие"),
    found__none=("No findings.", "Замечаний нет."),
    found__takeaway=("Findings: {n} ({kinds}).", "Замечаний: {n} ({kinds})."),
    found__caption=("Findings", "Замечания"),
    found__psi_takeaway=(
        "{n} of {all} features have drifted beyond the limit of {limit} (PSI); most of all {feature}, {value}.",
        "Признаков, у которых PSI выше предела {limit}: {n} из {all}; сильнее всех сместился {feature}, {value}.",
    ),
    found__psi_none=(
        "No feature has drifted beyond the limit of {limit} (PSI) by more than chance.",
        "Ни у одного признака PSI не превышает предела {limit} сильнее, чем бывает случайно.",
    ),
    found__psi_score=(" The PSI of the model's own score is {value}.", " PSI самой оценки модели: {value}."),
    detail__random=("random split", "при случайном разбиении"),
    detail__time=("time split", "при разбиении по времени"),
    detail__of_split=("{split}: {detail}", "{split}: {detail}"),
    detail__known_leak=(
        "known only after the decision; AUC of this feature alone",
        "известно лишь после решения; AUC по одному этому признаку",
    ),
    detail__suspected_leak=("AUC of this feature alone: {auc}", "по одному этому признаку AUC {auc}"),
    detail__rare_levels=("{count} levels: {levels}", "число значений {count}: {levels}"),
    detail__events_in_order=(
        "an array of events: only the network over the order of events reads it, if models.sequence.events names it",
        "массив событий: его читает только сеть по порядку событий, если он назван в models.sequence.events",
    ),
    detail__sampled=(
        "{model} is trained on {most} of {rows} labelled rows, sampled by their hash",
        "{model}: обучение на {most} из {rows} строк с ответом, отобранных по хешу",
    ),
    detail__constant=("constant in the training data", "в обучающих данных одно значение"),
    detail__pair=("with {other}", "в паре с {other}"),
    detail__rate_moved=(
        "miscalibrated, the response rate has shifted: {model}, {split}: mean probability {mean}, observed {observed}",
        "{model}, {split}: средняя вероятность {mean}, на деле {observed}",
    ),
    detail__later_drift=(
        "population stability index of the later rows, on which models are evaluated, against the earlier ones",
        "индекс стабильности популяции: поздние строки, на которых проверяются модели, против ранних",
    ),
    detail__drift=(
        "population stability index of the scored rows against the training rows",
        "индекс стабильности популяции: оценённые строки против обучающих",
    ),
    kind__constant=("constant", "постоянный"),
    kind__duplicate=("duplicate", "дубль"),
    kind__correlated=("correlated", "коррелирует"),
    kind__rare_levels=("rare levels", "редкие значения"),
    kind__events_in_order=("events in their order", "события по порядку"),
    kind__sampled=("trained on a sample", "обучение на выборке"),
    kind__suspected_leak=("suspected leak", "подозрение на утечку"),
    kind__known_leak=("known leak", "известная утечка"),
    kind__drift=("drift (PSI)", "смещение (PSI)"),
    kind__later_drift=("drift within the history (PSI)", "смещение внутри истории (PSI)"),
    kind__rate_moved=("miscalibrated: the response rate has shifted", "калибровка нарушена: доля отклика сместилась"),
    action__kept=("kept", "оставлено"),
    action__dropped=("dropped", "убрано"),
    action__merged=("merged", "объединено"),
    action__warned=("warned", "предупреждение"),
    action__left_out=("excluded", "не используется"),
    # --- quality ------------------------------------------------------------------------------------------------------
    quality__states=("Rows by answer", "Строки по ответам"),
    quality__state=("Answer", "Ответ"),
    state__yes=("yes", "да"),
    state__no=("no", "нет"),
    state__immature=("not final yet (excluded)", "ещё не окончателен (не учтены)"),
    state__unlabelled=("unlabelled (excluded)", "ответ неизвестен (не учтены)"),
    # --- origin -------------------------------------------------------------------------------------------------------
    origin__training=("Training run", "Запуск обучения"),
    origin__model=("Model folder", "Папка модели"),
    origin__settings=("Settings of the champion", "Настройки чемпиона"),
    origin__features=("Features and when they become known", "Признаки и когда они становятся известны"),
    origin__feature=("Column", "Столбец"),
    origin__meaning=("Meaning", "Смысл"),
    origin__known=("Known", "Известен"),
    known__before=("before the decision", "до решения"),
    known__after=("only after the decision", "лишь после решения"),
    # --- terms --------------------------------------------------------------------------------------------------------
    term__auc=("AUC", "AUC"),
    explain__auc=(
        "Of all pairs of one “yes” and one “no”, the share in which the model gives the “yes” the higher "
        "probability. 0.5 is guessing, 1 is perfect.",
        "Доля пар «да» и «нет», в которых модель даёт «да» большую вероятность. 0,5 — угадывание, 1 — безошибочно.",
    ),
    term__within=("Grouped AUC", "AUC внутри момента"),
    explain__within=(
        "The same over pairs that share a decision moment. Recognising good days does not help here.",
        "То же по парам одного момента решения. Знание удачных дней здесь не помогает.",
    ),
    term__accuracy=("Accuracy at 0.5", "Доля верных при 0,5"),
    explain__accuracy=(
        "The share of correct answers if a probability above 0.5 counts as “yes”. If “yes” is rare, “always no” "
        "already scores high.",
        "Доля верных ответов, если всех выше 0,5 считать «да». Где «да» редки, высок уже результат «всегда нет».",
    ),
    term__pr=("PR-AUC", "PR-AUC"),
    explain__pr=(
        "Average precision: the share of “yes” among the rows ranked at least as high, averaged over all “yes”. "
        "Guessing gives the response rate.",
        "Средняя точность: доля «да» среди строк не ниже данной, усреднённая по всем «да». Угадывание даёт долю "
        "отклика.",
    ),
    term__lift=("Lift 10%, gain 50%", "Лифт 10\u00a0%, охват 50\u00a0%"),
    explain__lift=(
        "How many times as often as average the top decile responds; the share of all responses in the top half.",
        "Во сколько раз чаще откликается лучшая десятая часть; какая доля всех откликов приходится на лучшую половину.",
    ),
    term__brier=("Brier, log loss, ECE", "Брайер, лог-потери, ECE"),
    explain__brier=(
        "How far probabilities are from outcomes: mean squared, mean logarithmic, and mean absolute over ten groups. "
        "Lower is better.",
        "Насколько вероятности далеки от случившегося: в среднем в квадрате, в логарифме и по модулю в десяти "
        "группах. Меньше — лучше.",
    ),
    term__interval=("95% interval", "95\u00a0% интервал"),
    explain__interval=(
        "Constructed so that in 95 of 100 repetitions on other rows of the same kind it would contain the true value. "
        "It does not allow for future changes.",
        "Построен так, что в 95 случаях из 100 на других строках того же рода накрыл бы истинное значение. Будущих "
        "изменений он не учитывает.",
    ),
    term__profit=("Profit", "Прибыль"),
    explain__profit=(
        "Value × responses − cost × contacts, for those whose probability is above cost ÷ value.",
        "Ценность × отклики − цена × обращения для тех, чья вероятность выше, чем цена ÷ ценность.",
    ),
    term__psi=("PSI", "PSI"),
    explain__psi=(
        "Population stability index: how far a feature's distribution has shifted since training; below 0.1 hardly, "
        "above 0.25 strongly.",
        "Насколько распределение признака сместилось со времени обучения: до 0,1 — почти нет, больше 0,25 — сильно.",
    ),
    term__leak=("Leak", "Утечка"),
    explain__leak=(
        "A feature known only after the decision. A model that uses it looks good and cannot be used.",
        "Признак, известный лишь после решения. Модель с ним выглядит хорошо, но применить её нельзя.",
    ),
)

#: A verdict of this kind is the reason of the common verdict.
TEXTS = _OWN | {f"reason.{key.partition('.')[2]}": text for key, text in _OWN.items() if key.startswith("verdict.")}


class ReportWords(Words):
    """The texts in one language: `words("key", name=value)`."""

    def __init__(self, language: Language) -> None:
        super().__init__(language, TEXTS)

    def level(self, level: str) -> str:
        """Title of a level; the models' names for missing and rare values are translated."""
        ours = {"(missing)": "missing", "(other)": "other", "true": "true", "false": "false"}
        return self(f"level.{ours[level]}") if level in ours else level


class ReportVoice(Voice):
    """One language: its words and number formats."""

    words: ReportWords

    def __init__(self, language: Language) -> None:
        super().__init__(language, TEXTS)
        self.words = ReportWords(language)
