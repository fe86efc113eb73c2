-- One row per contact whose answer is known: who the customer was, how they were contacted, and what they said.
-- column bought: 1 = yes within 7 days | 1 = согласие за 7 дней
-- column age: age, full years | возраст, полных лет
-- column sex: sex | пол
-- column city: city | город
-- column education: education | образование
-- column marital_status: marital status | семейное положение
-- column children: children | детей
-- column income: income, tenge a month | доход, тенге в месяц
-- column has_loan: has a consumer loan | есть потребительский кредит
-- column has_housing_loan: has a housing loan | есть ипотека
-- column channel: channel | канал
-- column call_number: number of the contact | номер контакта
SELECT
    k.contact_id AS customer,
    IF(k.responded = 'yes', 1, 0) AS bought,
    CAST(floor(months_between(to_date(k.contacted_at), c.birth_date) / 12) AS INT) AS age,
    c.sex,
    c.city,
    c.education,
    c.marital_status,
    c.children,
    c.income,
    c.has_loan,
    c.has_housing_loan,
    k.channel,
    k.call_number
FROM {contacts} AS k
JOIN {customers} AS c ON c.customer_id = k.customer_id
WHERE k.responded IS NOT NULL
