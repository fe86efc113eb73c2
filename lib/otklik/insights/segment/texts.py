"""Texts of the page of a segment task, in both languages."""

from __future__ import annotations

from otklik.page.words import texts

TEXTS = texts(
    measure__value_spread=(
        "Difference in next-period value between segments",
        "Различие сегментов по будущей ценности",
    ),
    measure__stability=("Stability of the segments", "Устойчивость сегментов"),
    figure__segments=("Segments", "Сегментов"),
    figure__of_customers=("of {n} customers", "клиентов: {n}"),
    figure__stability_note=(
        "95% of resamples: {interval}; random groups: 0",
        "95 % выборок: {interval}; случайные группы: 0",
    ),
    figure__stability_note_alone=("random groups: 0", "случайные группы: 0"),
    figure__best=("Best segment: value per customer", "Лучший сегмент: ценность на клиента"),
    figure__best_note=("{title}; 1 = all customers", "{title}; 1 = все клиенты"),
    figure__silhouette=("Silhouette", "Силуэт"),
    figure__silhouette_note=(
        "95% {interval}; data without clusters {random}",
        "95 % {interval}; без кластеров {random}",
    ),
    answer__sizes=(
        "{n} customers fall into {k} segments. The largest is “{title}” with {share} of the customers.",
        "Клиентов: {n}, сегментов: {k}. Самый большой — «{title}»: {share} клиентов.",
    ),
    figure__spread_note=(
        "mean distance from all; 95% {interval}; random groups {random}",
        "среднее отклонение от всех; 95 % {interval}; случайные группы {random}",
    ),
    times=("{n} times", "{n} раза"),
    segment__other=("All others", "Остальные"),
    segment__number=("Segment {n}", "Сегмент {n}"),
    answer__worth=(
        "“{title}” is {share} of the customers and brings {value} of the next period's value, {lift} times the mean "
        "per customer; a random group of its size would bring {low} to {high} times.",
        "«{title}» — это {share} клиентов и {value} ценности следующего периода: на клиента в {lift} раза больше "
        "среднего. У случайной группы такого же размера — от {low} до {high} среднего.",
    ),
    reason__few_customers=(
        "Only {n} customers can be evaluated; {minimum} are needed.",
        "Оценить можно лишь {n} клиентов, а нужно не меньше {minimum}.",
    ),
    reason__unstable=(
        "The segments are not stable: on resampled customers the adjusted Rand index is {stability} (1 = the same, 0 = "
        "chance; {minimum} is required).",
        "Сегменты неустойчивы: на повторных выборках клиентов скорректированный индекс Рэнда — {stability} (1 — те же "
        "сегменты, 0 — случайное совпадение; требуется {minimum}).",
    ),
    reason__stable=(
        "The segments are stable: on resampled customers the adjusted Rand index is {stability} (1 = the same, 0 = "
        "chance).",
        "Сегменты устойчивы: на повторных выборках клиентов скорректированный индекс Рэнда — {stability} (1 — те же "
        "сегменты, 0 — случайное совпадение).",
    ),
    reason__values_differ=(
        "The segments differ in value: the value per customer of a segment differs from that "
        "of all by {percent}% on average, that of random groups of the same sizes by {random}%. Of 10,000 draws of "
        "random groups {reached} reach as much.",
        "Сегменты различаются по ценности: ценность на клиента в сегменте отличается от общей в среднем на {percent} "
        "%, а в случайных группах тех же размеров — на {random} %. Из 10 000 случайных делений столько же дают "
        "{reached}.",
    ),
    reason__values_alike=(
        "The segments do not differ in value: the value per customer of a segment differs "
        "from that of all by {percent}% on average, that of random groups of the same sizes by {random}%. Of 10,000 "
        "draws of random groups {reached} reach as much.",
        "По ценности сегменты не различаются: ценность на клиента в сегменте отличается от общей в среднем на "
        "{percent} %, а в случайных группах тех же размеров — на {random} %. Из 10 000 случайных делений столько же "
        "дают {reached}.",
    ),
    reason__no_value=(
        "Whether the segments are useful is unknown: the task declares no value of a later period.",
        "Есть ли от сегментов польза, неизвестно: в задаче не указана ценность следующего периода.",
    ),
    reason__structure=(
        "The customers do fall into groups: silhouette {silhouette}; data of the same range without clusters reach "
        "{random}.",
        "Клиенты действительно образуют группы: силуэт {silhouette}, у данных того же размаха без кластеров — "
        "{random}.",
    ),
    reason__no_structure=(
        "There are no separate groups: silhouette {silhouette}; data of the same range without clusters reach "
        "{random}. The boundaries between segments are arbitrary.",
        "Обособленных групп нет: силуэт {silhouette}, у данных того же размаха без кластеров — {random}. Границы "
        "между сегментами условны.",
    ),
    finding__unusable_amounts=(
        "{n} purchases have an amount that is not a finite number, or is too large; they were excluded.",
        "Покупок, сумма которых не число или слишком велика: {n}; они не учтены.",
    ),
    finding__negative_amounts=(
        "{n} purchases have a negative amount and are included. If these are returns, decide in "
        "`frames.purchases.where` whether to keep them.",
        "Покупок с отрицательной суммой: {n}; они учтены как есть. Если это возвраты, решите в "
        "`frames.purchases.where`, нужны ли они.",
    ),
    finding__crowded_score=(
        "{subject}: {percent}% of the customers have score {score}, because many have the same value. Rank fifths "
        "would split them, but only by their customer number.",
        "{subject}: оценку {score} имеют {percent} % клиентов, потому что у многих одно и то же значение. Деление по "
        "рангам разделило бы их, но лишь по номеру клиента.",
    ),
    finding__constant_feature=(
        "{subject} is the same for every customer and was excluded.",
        "Признак {subject} одинаков у всех клиентов и не учтён.",
    ),
    finding__incomplete_customers=(
        "{n} of {rows} customers of `{subject}` lack a feature and have no segment.",
        "Клиентов из `{subject}`, у которых нет какого-либо признака: {n} из {rows}; сегмента у них нет.",
    ),
    section__cards=("The segments", "Сегменты"),
    cards__sizes=("How many customers each has", "Сколько клиентов в каждом"),
    cards__sizes_takeaway=(
        "The {most} largest contain {share} of the customers.",
        "Крупнейшие ({most}) включают {share} клиентов.",
    ),
    cards__apart=("What sets each segment apart", "Чем отличается каждый сегмент"),
    cards__note=(
        "Compared with the mean of all customers; “much” means at least one standard deviation.",
        "В сравнении со средним по всем клиентам; «намного» — не меньше одного стандартного отклонения.",
    ),
    cards__segment=("Segment", "Сегмент"),
    cards__customers=("Customers", "Клиентов"),
    cards__words=("Compared with all", "В сравнении со всеми"),
    cards__much_more=("{name} much higher ({mean}; all {overall})", "{name}: намного больше ({mean}; все {overall})"),
    cards__more=("{name} higher ({mean}; all {overall})", "{name}: больше ({mean}; все {overall})"),
    cards__less=("{name} lower ({mean}; all {overall})", "{name}: меньше ({mean}; все {overall})"),
    cards__much_less=("{name} much lower ({mean}; all {overall})", "{name}: намного меньше ({mean}; все {overall})"),
    cards__average=("close to the average in everything", "во всём близок к среднему"),
    property__recency=("days since the last purchase", "дней с последней покупки"),
    property__frequency=("orders", "заказов"),
    property__monetary=("spent", "потрачено"),
    section__worth=("Value of the segments in the next period", "Ценность сегментов в следующем периоде"),
    worth__lifts=(
        "Value per customer in the next period, as a multiple of all",
        "Ценность на клиента в следующем периоде: доля от средней",
    ),
    worth__takeaway=(
        "Best: “{title}”, {lift}. The segments were built before the period, without its data.",
        "Лучший — «{title}»: {lift}. Сегменты построены до начала периода и его данных не видели.",
    ),
    worth__own=("segment, 95% interval", "сегмент, 95 % интервал"),
    worth__all=("all customers", "все клиенты"),
    worth__table=("The numbers", "Те же числа"),
    worth__customers=("Customers before", "Клиентов до начала"),
    worth__mean=("Value per customer", "Ценность на клиента"),
    worth__share=("Share of value", "Доля ценности"),
    worth__lift=("Lift", "Лифт"),
    worth__chance=("Random group of this size", "Случайная группа такого размера"),
    worth__value_is=("Value: {what}.", "Ценность: {what}."),
    worth__of_days=(
        "what the customer bought in the {days} days after {day}",
        "покупки клиента за {days} дн. после {day}",
    ),
    section__moves=("Who has moved", "Кто перешёл"),
    moves__title=("From the segment of {day} to the current one", "Из сегмента на {day} в нынешний"),
    moves__title_undated=("From the previous segment to the current one", "Из прежнего сегмента в нынешний"),
    moves__takeaway=(
        "{share} of the customers stayed in their segment. Numbers are row percentages.",
        "В своём прежнем сегменте остались {share} клиентов. Числа — проценты от строки.",
    ),
    moves__before=("before", "раньше"),
    moves__now=("now", "сейчас"),
    moves__none=("(absent)", "(нет)"),
    section__scores=("How the scores are made", "Как получены оценки"),
    scores__grid=("Customers by recency and frequency score", "Клиенты по оценкам давности и частоты"),
    scores__grid_takeaway=(
        "{share} of the customers have the highest score in both.",
        "Высшую оценку по обеим шкалам имеют {share} клиентов.",
    ),
    scores__recency=("recency", "давность"),
    scores__frequency=("frequency", "частота"),
    scores__quantile_cuts=(
        "Scores by quantile cuts with linear interpolation: 1 and the number of cuts below the value; for recency "
        "reversed. Equal values get equal scores.",
        "Оценки по квантилям с линейной интерполяцией: единица плюс число границ ниже значения; для давности "
        "наоборот. Равные значения получают равные оценки.",
    ),
    scores__rank_fifths=(
        "Scores by rank: customers are ranked, equal ones by customer number, and the ranks cut into levels of equal "
        "size.",
        "Оценки по рангам: клиенты упорядочены, равные — по номеру клиента, и ранги поделены на равные части.",
    ),
    scores__cuts=("Cuts", "Границы"),
    scores__rank_cuts=("Cuts of the ranks", "Границы рангов"),
    section__choice=("How many segments", "Сколько сегментов"),
    choice__title=("Silhouette and stability by number of segments", "Силуэт и устойчивость по числу сегментов"),
    choice__takeaway=(
        "Chosen: {k}, the number with the highest silhouette among those with a stability of at least {minimum}.",
        "Выбрано {k}: наибольший силуэт среди чисел, при которых устойчивость не ниже {minimum}.",
    ),
    choice__fixed=("The task fixes {k} segments.", "Число сегментов задано: {k}."),
    choice__unstable=(
        "No number of segments reaches a stability of {minimum}; {k} has the highest silhouette.",
        "Ни при каком числе сегментов устойчивость не достигает {minimum}; у {k} наибольший силуэт.",
    ),
    choice__silhouette=("silhouette", "силуэт"),
    choice__stability=("stability (adjusted Rand index)", "устойчивость (индекс Рэнда)"),
    choice__k=("segments", "сегментов"),
    choice__table=("Each number of segments", "По числу сегментов"),
    section__reading=("How to read this", "Как это читать"),
    reading__stability=(
        "Stability: customers are resampled {resamples} times, and the new segments are compared with these by the "
        "adjusted Rand index: 1 means identical segments, 0 chance agreement.",
        "Устойчивость: клиенты выбираются заново {resamples} раз, сегменты строятся снова и сравниваются по "
        "скорректированному индексу Рэнда: 1 — те же сегменты, 0 — как при случайном делении.",
    ),
    reading__structure=(
        "Silhouette: how much closer customers are to their own segment than to the nearest other one, from −1 to 1. "
        "It is compared with points spread evenly over the same range, which have no clusters at all.",
        "Силуэт: насколько клиенты ближе к своему сегменту, чем к соседнему, от −1 до 1. Сравнивается с точками, "
        "равномерно рассеянными в тех же пределах, где групп нет вовсе.",
    ),
    reading__worth=(
        "Value: for each segment, how far its value per customer is from that of all, as a share of it; the mean "
        "over customers is the difference between segments. Random groups of the same sizes show what chance alone "
        "gives.",
        "Ценность: насколько ценность на клиента в сегменте отличается от общей, в долях от неё; среднее по клиентам "
        "— различие сегментов. Случайные группы тех же размеров показывают, что даёт одна случайность.",
    ),
)
