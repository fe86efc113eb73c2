"""Texts of the page of a recommend task, in both languages."""

from __future__ import annotations

from otklik.page.words import texts

_NUMBERS_EN = "nDCG@10 {blend} against {naive}, difference {gain} [{low}; {high}], {customers} customers."
_NUMBERS_RU = "nDCG@10 {blend} против {naive}, разница {gain} [{low}; {high}], клиентов: {customers}."

_TEXTS = texts(
    reason__new_beaten_popularity=(
        f"New items: the blend beats the most popular items. {_NUMBERS_EN}",
        f"Новые товары: смесь методов лучше самых популярных товаров. {_NUMBERS_RU}",
    ),
    reason__new_not_beaten_popularity=(
        f"New items: no improvement on popularity. {_NUMBERS_EN}",
        f"Новые товары: превзойти популярные товары не удалось. {_NUMBERS_RU}",
    ),
    reason__again_beaten_own=(
        f"With repeat purchases: the blend beats each customer's own frequent items. {_NUMBERS_EN}",
        f"С повторными покупками: смесь лучше собственных частых товаров клиента. {_NUMBERS_RU}",
    ),
    reason__again_not_beaten_own=(
        f"With repeat purchases: no improvement on each customer's own frequent items. {_NUMBERS_EN}",
        f"С повторными покупками: превзойти собственные частые товары клиента не удалось. {_NUMBERS_RU}",
    ),
    reason__again_beaten_popularity=(
        f"With repeat purchases: the blend beats the most popular items. {_NUMBERS_EN}",
        f"С повторными покупками: смесь лучше самых популярных товаров. {_NUMBERS_RU}",
    ),
    reason__again_not_beaten_popularity=(
        f"With repeat purchases: no improvement on popularity. {_NUMBERS_EN}",
        f"С повторными покупками: превзойти популярные товары не удалось. {_NUMBERS_RU}",
    ),
    reason__few_customers_choice=(
        "Only {count} customers can be evaluated in the period in which weights are chosen; {minimum} are needed.",
        "В период выбора весов можно проверить только {count} клиентов; нужно не меньше {minimum}.",
    ),
    reason__few_customers_test=(
        "Only {count} customers can be evaluated in the test period; {minimum} are needed.",
        "В проверочный период можно проверить только {count} клиентов; нужно не меньше {minimum}.",
    ),
    finding__short_lists=(
        "Customers with fewer than {length} items in their list: {n} of {customers}; there were no more candidates.",
        "Клиентов, у которых в списке меньше {length} товаров: {n} из {customers}; кандидаты кончились.",
    ),
    answer__served=(
        "Lists were made for {customers} customers, {items} items in all, by the blend.",
        "Списки составлены смесью методов для {customers} клиентов, всего позиций: {items}.",
    ),
    answer__naive_served=(
        "Lists were made for {customers} customers, {items} items in all, by the naive rule: no method has been shown "
        "to be better.",
        "Списки составлены простым правилом для {customers} клиентов, всего позиций: {items}: преимущество других "
        "методов не доказано.",
    ),
    key__naive=("naive rule: {value}", "простое правило: {value}"),
    metric__ndcg=("nDCG@10", "nDCG@10"),
    metric__recall=("Recall@10", "Полнота@10"),
    metric__map=("MAP@10", "MAP@10"),
    metric__coverage=("Coverage", "Охват товаров"),
    metric__variety=("Diversity", "Разнообразие"),
    metric__novelty=("Novelty, bits", "Новизна, бит"),
    method__own=("Bought before", "Купленное раньше"),
    method__popularity=("Popularity", "Популярность"),
    method__item_item=("Item–item", "Сходство товаров"),
    method__als=("ALS", "ALS"),
    method__segment=("Popular in the segment", "Популярное в сегменте"),
    method__blend=("Blend", "Смесь методов"),
    is__ndcg=(
        "gain of the first ten items, discounted by rank; 1: every possible hit is there, and at the top",
        "выигрыш первых десяти товаров, верхние места весят больше; 1 — всё верно и стоит первым",
    ),
    is__recall=(
        "share of the customer's later purchases among the first ten items",
        "доля купленного затем клиентом среди первых десяти товаров",
    ),
    is__map=("mean of the average precision of the first ten items", "средняя точность первых десяти товаров"),
    is__coverage=("share of all items that any list shows", "доля всех товаров, попавших хотя бы в один список"),
    is__variety=("different categories per shown item", "разных категорий на показанный товар"),
    is__segment=(
        "items bought by most customers of the same segment; for cold-start customers, if it was better for them "
        "before",
        "товары, которые купило больше всего клиентов того же сегмента; для новых клиентов, если раньше им это "
        "подходило лучше",
    ),
    is__novelty=(
        "mean of −log₂ of the share of customers who have bought a shown item",
        "среднее −log₂ доли клиентов, купивших показанный товар",
    ),
    is__own=(
        "what the customer has bought most often, then popular items",
        "то, что клиент покупал чаще всего, затем популярные товары",
    ),
    is__popularity=("items bought by most customers", "товары, которые купило больше всего клиентов"),
    is__item_item=(
        "items bought by the customers who bought the same items (cosine)",
        "товары, которые покупают те же клиенты (косинусное сходство)",
    ),
    is__als=(
        "matrix factorisation for implicit feedback (Hu, Koren, Volinsky 2008)",
        "матричная факторизация для неявных оценок (Hu, Koren, Volinsky 2008)",
    ),
    is__blend=("weighted sum of these methods' scores", "взвешенная сумма оценок этих методов"),
    section__judged=("How good the lists are", "Насколько хороши списки"),
    section__lists=("What the lists contain", "Что в списках"),
    section__method=("How this was counted", "Как это посчитано"),
    figure__new=("nDCG@10 on new items", "nDCG@10 на новых товарах"),
    figure__again=("nDCG@10 with repeat purchases", "nDCG@10 с повторными покупками"),
    figure__takeaway=(
        "A method is worth using where it lies to the right of popularity and of what was bought before.",
        "Метод стоит применять, если его точка правее точек «популярное» и «купленное раньше».",
    ),
    figure__alt=("nDCG of each method with its interval", "nDCG каждого метода с интервалом"),
    table__method=("Method", "Метод"),
    table__new=("New items, warm customers: {customers}", "Новые товары, клиентов с историей: {customers}"),
    table__again=("Any items, warm customers: {customers}", "Любые товары, клиентов с историей: {customers}"),
    table__new_cold=("New items, cold customers: {customers}",
                     "Новые товары, клиентов почти без истории: {customers}"),
    table__again_cold=("Any items, cold customers: {customers}",
                       "Любые товары, клиентов почти без истории: {customers}"),
    reasons__title=("Why items are listed", "Почему товары в списках"),
    reasons__takeaway=("What counts most in the score of an item.", "Что больше всего весит в оценке товара."),
    reasons__alt=("Share of listed items by reason", "Доли позиций по причинам"),
    finding__few_iterations=(
        "ALS made {made} iterations instead of {asked}: for more, set spark.checkpoint.dir to a folder that every "
        "machine reaches.",
        "ALS сделал {made} итераций вместо {asked}: чтобы их было больше, укажите в spark.checkpoint.dir папку, "
        "доступную всем машинам.",
    ),
    because__bought_before=("bought before", "куплено раньше"),
    because__bought_with=("bought with the customer's items", "покупают с его товарами"),
    because__similar_customers=("similar customers", "похожие клиенты"),
    because__popular_in_segment=("popular in the segment", "популярно в сегменте"),
    because__popular=("popular", "популярно"),
    shown__caption=("Items shown most often", "Чаще всего показанные товары"),
    shown__item=("Item", "Товар"),
    shown__customers=("Customers", "Клиентов"),
    shown__share=("Share", "Доля"),
    how__split=(
        "Lists made from all purchases before the last {days} days are evaluated on the purchases in those days. The "
        "weights of the blend were chosen on the {days} days before: of those not significantly worse than the best, "
        "the ones nearest to the naive rule. Items first sold in the test period do not count.",
        "Списки, составленные по покупкам до последних {days} дн., проверяются по покупкам этих дней; веса смеси "
        "выбраны за {days} дн. до них — самые близкие к простому правилу "
        "из тех, что незначимо хуже лучших. Товары, впервые проданные в проверочный период, не учитываются.",
    ),
    how__warm=(
        "Cold-start customers have bought fewer than {items} different items; their lists come from the naive rule.",
        "Почти без истории — клиенты, купившие меньше {items} разных товаров; их списки даёт простое правило.",
    ),
    how__weights=("Weights of the blend: {weights}.", "Веса смеси: {weights}."),
    how__interval=(
        "Intervals: 95%, {replicates} bootstrap replicates over groups of customers. Coverage has none.",
        "Интервалы 95-процентные, {replicates} бутстрап-выборок по группам клиентов. У охвата интервала нет.",
    ),
    how__limits=(
        "A purchase that would have been made anyway also counts as a hit; only an experiment shows the effect of the "
        "lists.",
        "Покупка, которую сделали бы и без списка, тоже считается попаданием: сколько приносит список, покажет только "
        "эксперимент.",
    ),
)  # fmt: skip

#: Reasons of a verdict are findings if they concern the other target.
TEXTS = _TEXTS | {key.replace("reason", "finding"): text for key, text in _TEXTS.items() if "_not_beaten_" in key}
