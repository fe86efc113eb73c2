-- Who a customer of the food retailer is, what was bought in two years, and which earlier campaigns were accepted.
-- column age: age reached in the year of the extract, years | возраст, исполняющийся в год выгрузки, лет
-- column education: education | образование
-- column marital_status: marital status | семейное положение
-- column income: yearly household income, MU | годовой доход семьи, ден. ед.
-- column kidhome: small children at home | маленьких детей дома
-- column teenhome: teenagers at home | подростков дома
-- column days_as_customer: days since enrolment | дней с регистрации
-- column recency: days since the last purchase | дней с последней покупки
-- column mnt_wines: spent on wine in two years, MU | потрачено на вино за два года, ден. ед.
-- column mnt_fruits: spent on fruit in two years, MU | потрачено на фрукты за два года, ден. ед.
-- column mnt_meat_products: spent on meat in two years, MU | потрачено на мясо за два года, ден. ед.
-- column mnt_fish_products: spent on fish in two years, MU | потрачено на рыбу за два года, ден. ед.
-- column mnt_sweet_products: spent on sweets in two years, MU | потрачено на сладости за два года, ден. ед.
-- column mnt_gold_prods: spent on gold products in two years, MU | потрачено на золотые изделия за два года, ден. ед.
-- column mnt_wines_share: share of wine in the money spent on the six kinds | доля вина в тратах на шесть видов товаров
-- column mnt_fruits_share: share of fruit in it | доля фруктов в этих тратах
-- column mnt_meat_products_share: share of meat in it | доля мяса в этих тратах
-- column mnt_fish_products_share: share of fish in it | доля рыбы в этих тратах
-- column mnt_sweet_products_share: share of sweets in it | доля сладостей в этих тратах
-- column mnt_gold_prods_share: share of gold products in it | доля золотых изделий в этих тратах
-- column spent_per_purchase: money spent per purchase, MU, empty without purchases | потрачено на одну покупку, ден. ед., пусто без покупок
-- column num_deals_purchases: purchases with a discount | покупок со скидкой
-- column num_web_purchases: purchases on the web site | покупок на сайте
-- column num_catalog_purchases: purchases by catalogue | покупок по каталогу
-- column num_store_purchases: purchases in shops | покупок в магазинах
-- column num_web_visits_month: visits to the web site in the last month | посещений сайта за последний месяц
-- column accepted_cmp1: accepted campaign 1 (1 is yes) | согласие в кампании 1 (1 — да)
-- column accepted_cmp2: accepted campaign 2 (1 is yes) | согласие в кампании 2 (1 — да)
-- column accepted_cmp3: accepted campaign 3 (1 is yes) | согласие в кампании 3 (1 — да)
-- column accepted_cmp4: accepted campaign 4 (1 is yes) | согласие в кампании 4 (1 — да)
-- column accepted_cmp5: accepted campaign 5 (1 is yes) | согласие в кампании 5 (1 — да)
-- column complain: complained in the last two years (1 is yes) | жалоба за последние два года (1 — да)
-- column z_cost_contact: cost of a contact as the file says, MU | цена контакта по данным файла, ден. ед.
-- column z_revenue: revenue of a response as the file says, MU | доход с отклика по данным файла, ден. ед.
WITH customer AS (
    SELECT
        *,
        mnt_wines + mnt_fruits + mnt_meat_products + mnt_fish_products + mnt_sweet_products + mnt_gold_prods AS spent,
        num_deals_purchases + num_web_purchases + num_catalog_purchases + num_store_purchases AS purchases
    FROM {customers}
)

SELECT
    r.key,
    r.moment,
    year(r.moment) - c.year_birth AS age,
    c.education,
    c.marital_status,
    c.income,
    c.kidhome,
    c.teenhome,
    datediff(r.moment, c.enrolled_on) AS days_as_customer,
    c.recency,
    c.mnt_wines,
    c.mnt_fruits,
    c.mnt_meat_products,
    c.mnt_fish_products,
    c.mnt_sweet_products,
    c.mnt_gold_prods,
    try_divide(c.mnt_wines, c.spent) AS mnt_wines_share,
    try_divide(c.mnt_fruits, c.spent) AS mnt_fruits_share,
    try_divide(c.mnt_meat_products, c.spent) AS mnt_meat_products_share,
    try_divide(c.mnt_fish_products, c.spent) AS mnt_fish_products_share,
    try_divide(c.mnt_sweet_products, c.spent) AS mnt_sweet_products_share,
    try_divide(c.mnt_gold_prods, c.spent) AS mnt_gold_prods_share,
    try_divide(c.spent, c.purchases) AS spent_per_purchase,
    c.num_deals_purchases,
    c.num_web_purchases,
    c.num_catalog_purchases,
    c.num_store_purchases,
    c.num_web_visits_month,
    c.accepted_cmp1,
    c.accepted_cmp2,
    c.accepted_cmp3,
    c.accepted_cmp4,
    c.accepted_cmp5,
    c.complain,
    c.z_cost_contact,
    c.z_revenue
FROM {rows} AS r
INNER JOIN customer AS c ON CAST(c.id AS STRING) = r.key
