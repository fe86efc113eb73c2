{#
  A customer's events up to a moment in their order, the newest last: what [models.sequence] reads. An event counts when
  it happened in (moment − window, moment] and was known at the moment.

  Settings:
    events       the input frame; its columns: customer_column (default customer_id), time_column (happened_at),
                 kind_column (kind), which says what happened
    window       how far back, '12h' or '30d', a day being 24 hours
    last         the newest of them at most (default 50)
    in_order     false gives the same events in the order of the alphabet: what a network gains over these, it has from
                 their order (default true)
#}
{% set hours = (window[:-1] | int) * {'h': 1, 'd': 24}[window[-1]] %}
-- column recent_events: events of the last {{ window | in_english }}, the newest last | события за последние {{ window | in_russian }}, самое новое в конце
WITH known AS (
    SELECT
        r.key,
        r.moment,
        e.{{ time_column | default('happened_at') | name }} AS happened_at,
        CAST(e.{{ kind_column | default('kind') | name }} AS STRING) AS kind
    FROM {rows} AS r
    JOIN {{ '{' ~ (events | name) ~ '}' }} AS e
        ON CAST(e.{{ customer_column | default('customer_id') | name }} AS STRING) = r.unit
        AND e.{{ time_column | default('happened_at') | name }} <= r.moment
        AND e.{{ time_column | default('happened_at') | name }} > r.moment - INTERVAL '{{ hours }}' HOUR
        AND (e.known_at <= r.moment OR e.known_at IS NULL)
),

newest AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY key, moment ORDER BY happened_at DESC, kind DESC) AS place
    FROM known
)

SELECT
    key,
    moment,
{% if in_order | default(true) %}
    transform(array_sort(collect_list(struct(-place AS place, kind))), e -> e.kind) AS recent_events
{% else %}
    array_sort(collect_list(kind)) AS recent_events
{% endif %}
FROM newest
WHERE place <= {{ last | default(50) | whole }}
GROUP BY key, moment
