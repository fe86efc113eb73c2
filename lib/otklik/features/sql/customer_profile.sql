-- Who the customer is, as known at the moment. Nothing personal: names, addresses and numbers stay out.
-- Silver keeps the newest version of a customer. What may have been otherwise before that version was made is empty at
-- earlier moments: today's income is not what was known then. Name these columns in preparation.filled: that a customer
-- was changed later, by saying yes perhaps, must not tell a model anything.
-- column age: age, full years | возраст, полных лет
-- column sex: sex | пол
-- column city: city | город
-- column education: education | образование
-- column marital_status: marital status | семейное положение
-- column children: children | детей
-- column income: income, tenge a month | доход, тенге в месяц
-- column has_loan: has a consumer loan | есть потребительский кредит
-- column has_housing_loan: has a housing loan | есть ипотека
-- column months_since_registration: months since registration | месяцев с регистрации
SELECT
    r.key,
    r.moment,
    CAST(floor(months_between(to_date(r.moment), c.birth_date) / 12) AS INT) AS age,
    c.sex,
    CASE WHEN c.updated_at <= r.moment THEN c.city END AS city,
    CASE WHEN c.updated_at <= r.moment THEN c.education END AS education,
    CASE WHEN c.updated_at <= r.moment THEN c.marital_status END AS marital_status,
    CASE WHEN c.updated_at <= r.moment THEN c.children END AS children,
    CASE WHEN c.updated_at <= r.moment THEN c.income END AS income,
    CASE WHEN c.updated_at <= r.moment THEN c.has_loan END AS has_loan,
    CASE WHEN c.updated_at <= r.moment THEN c.has_housing_loan END AS has_housing_loan,
    months_between(r.moment, c.registered_at) AS months_since_registration
FROM {rows} AS r
LEFT JOIN {customers} AS c
    ON c.customer_id = r.unit
    AND (c.known_at <= r.moment OR c.known_at IS NULL)
