{#
  One row per customer of a mailing: the arm, whether a purchase followed, and what the receipts said on that day.

  Settings:
    mailing   its name
    chosen    whoever bought within so many days was chosen by preference
#}
SELECT
    m.customer_id AS unit,
    m.arm,
    m.sent_at AS moment,
    CAST(any_value(m.bought) = 'yes' AS DOUBLE) AS outcome,
    datediff(m.sent_at, max(r.bought_at)) AS days_since_last,
    CAST(datediff(m.sent_at, max(r.bought_at)) < {{ chosen | whole }} AS INT) AS bought_lately,
    -- A placebo: long before the mailing.
    CAST(count_if(r.bought_at BETWEEN m.sent_at - INTERVAL '150' DAY AND m.sent_at - INTERVAL '90' DAY) > 0 AS DOUBLE)
        AS bought_long_before
FROM {mailings} AS m
JOIN {receipts} AS r ON r.customer_id = m.customer_id AND r.kind = 'sale' AND r.bought_at < m.sent_at
WHERE m.mailing = {{ mailing | literal }}
GROUP BY m.customer_id, m.arm, m.sent_at
