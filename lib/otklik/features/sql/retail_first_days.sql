{#
  One row per customer of online_retail: the purchases of the first days after the first purchase.

  Cancellations, adjustments and lines without price or customer are no purchases, and lines equal to an earlier one of
  the same invoice count once (position_within numbers them). Customers whose first days are not
  over at the moment are left out.

  Settings:
    days     how many first days
    next     if given: the amount of so many days after these is the column value, NULL while they are not over
    classes  if given: an input with customer and segment, whose segment is the column class; the column moment says when
             the first days were over
#}
-- column orders: invoices | счета
-- column amount: money, GBP | сумма, GBP
-- column pieces: pieces | штук
-- column products: different products | разных товаров
-- column days_active: days with a purchase | дней с покупками
WITH lines AS (
    SELECT
        CAST(customer_id AS STRING) AS customer,
        invoice_no,
        stock_code,
        quantity,
        CAST(quantity * unit_price AS DOUBLE) AS amount,
        invoiced_at,
        min(invoiced_at) OVER (PARTITION BY customer_id) AS first_at
    FROM {lines}
    WHERE customer_id IS NOT NULL AND quantity > 0 AND unit_price > 0 AND NOT startswith(invoice_no, 'C')
        AND position_within = 1
        AND invoiced_at <= :as_of
),
first_days AS (
    SELECT
        customer,
        first_at + INTERVAL '{{ days | whole }}' DAY AS over_at,
        count(DISTINCT invoice_no) AS orders,
        sum(amount) AS amount,
        sum(quantity) AS pieces,
        count(DISTINCT stock_code) AS products,
        count(DISTINCT to_date(invoiced_at)) AS days_active
    FROM lines
    WHERE invoiced_at < first_at + INTERVAL '{{ days | whole }}' DAY
    GROUP BY customer, first_at
)
{% if next is defined %}
, later AS (
    SELECT customer, sum(amount) AS value
    FROM lines
    WHERE invoiced_at >= first_at + INTERVAL '{{ days | whole }}' DAY
        AND invoiced_at < first_at + INTERVAL '{{ days | whole }}' DAY + INTERVAL '{{ next | whole }}' DAY
    GROUP BY customer
)
{% endif %}
SELECT
    f.customer,
{% if next is defined %}
    CASE WHEN f.over_at + INTERVAL '{{ next | whole }}' DAY <= :as_of THEN coalesce(l.value, 0) END AS value,
{% endif %}
{% if classes is defined %}
    s.segment AS class,
    f.over_at AS moment,
{% endif %}
    f.orders,
    f.amount,
    f.pieces,
    f.products,
    f.days_active
FROM first_days AS f
{% if next is defined %}
LEFT JOIN later AS l ON l.customer = f.customer
{% endif %}
{% if classes is defined %}
LEFT JOIN {{ '{' ~ (classes | name) ~ '}' }} AS s ON s.customer = f.customer
{% endif %}
WHERE f.over_at <= :as_of
