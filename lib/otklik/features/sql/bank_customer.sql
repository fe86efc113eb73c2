-- What the bank knows of a customer and a planned call before it is made, and how long the call lasted.
-- column age: age, years | возраст, лет
-- column job: job | род занятий
-- column marital: marital status | семейное положение
-- column education: education | образование
-- column default: has credit in default | есть просроченный кредит
-- column balance: average yearly balance, EUR | средний остаток за год, евро
-- column housing: has a housing loan | есть ипотека
-- column loan: has a personal loan | есть потребительский кредит
-- column contact: kind of line that was called | вид связи
-- column day: day of the month | день месяца
-- column month: month | месяц
-- column campaign: this will be call number n of the campaign | номер звонка в кампании
-- column pdays: days since the contact of an earlier campaign, empty if none | дней с контакта прошлой кампании
-- column previous: contacts in earlier campaigns | контактов в прошлых кампаниях
-- column poutcome: outcome of the earlier campaign | итог прошлой кампании
-- column duration [after]: length of the call, seconds | длительность звонка, секунд
SELECT
    r.key,
    r.moment,
    c.age,
    c.job,
    c.marital,
    c.education,
    c.default,
    c.balance,
    c.housing,
    c.loan,
    c.contact,
    c.day,
    c.month,
    c.campaign,
    NULLIF(c.pdays, -1) AS pdays,
    c.previous,
    c.poutcome,
    c.duration
FROM {rows} AS r
INNER JOIN (
    SELECT *, (DENSE_RANK() OVER (ORDER BY _file) - 1) * 1000000000 + _record_no AS position FROM {contacts}
) AS c ON c.position = r.position
