{#
  One row per customer: which share of the lines of his or her receipts is of each category. Returns and cancelled
  receipts do not count.

  Customers with few lines are left out: what they like can hardly be told.

  Settings:
    categories   name of a column = the category
    fewest       lines that a customer must have
    next         the amount of so many days up to the moment is the column value; the shares are of the days before
#}
WITH lines AS (
    SELECT r.customer_id AS customer, p.category, r.amount, r.bought_at <= :as_of - INTERVAL '{{ next | whole }}' DAY AS is_before
    FROM {receipts} AS r
    JOIN {products} AS p ON p.product_id = r.product_id
    WHERE r.bought_at <= :as_of AND r.kind = 'sale'
)
SELECT
    customer,
{% for column, category in categories.items() %}
    avg(CASE WHEN is_before THEN CAST(category = {{ category | literal }} AS DOUBLE) END) AS `{{ column | name }}`,
{% endfor %}
    CAST(coalesce(sum(CASE WHEN NOT is_before THEN amount END), 0) AS DOUBLE) AS value
FROM lines
GROUP BY customer
HAVING count_if(is_before) >= {{ fewest | whole }}
