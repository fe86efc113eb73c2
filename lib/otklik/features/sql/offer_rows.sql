{#
  One row per contact of an offer whose time to order is over, and one per customer as of the moment of the run: whom to
  contact next.

  Settings:
    window   an order counts within so many days of the contact
#}
SELECT
    c.customer_id AS key,
    c.contacted_at AS moment,
    CAST(max(coalesce(o.ordered_at <= c.contacted_at + INTERVAL '{{ window | whole }}' DAY, false)) AS INT) AS label
FROM {contacts} AS c
LEFT JOIN {orders} AS o ON o.customer_id = c.customer_id AND o.ordered_at >= c.contacted_at
WHERE c.contacted_at <= :as_of - INTERVAL '{{ window | whole }}' DAY
GROUP BY c.customer_id, c.contacted_at
UNION ALL
SELECT customer_id, :as_of, NULL
FROM {customers}
