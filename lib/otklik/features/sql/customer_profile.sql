-- Who the customer is, as known at the moment. Nothing personal: names, addresses and numbers stay out.
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
    c.city,
    c.education,
    c.marital_status,
    c.children,
    c.income,
    c.has_loan,
    c.has_housing_loan,
    months_between(r.moment, c.registered_at) AS months_since_registration
FROM {rows} AS r
LEFT JOIN {customers} AS c
    ON c.customer_id = r.unit
    AND c.known_at <= r.moment
