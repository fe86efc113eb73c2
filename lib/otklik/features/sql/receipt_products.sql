{#
  One row per line of a receipt: who bought which product of which category when, and what was paid for it. A return is a
  line below 0; a cancelled receipt is no purchase.
#}
SELECT
    r.customer_id AS customer,
    p.name AS product,
    r.bought_at AS moment,
    r.amount AS value,
    p.category
FROM {receipts} AS r
JOIN {products} AS p ON p.product_id = r.product_id
WHERE r.kind <> 'cancelled'
