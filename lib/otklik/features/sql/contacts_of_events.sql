{#
  One row per contact, from a log of events: what was sent, and what was opened or clicked. A contact is answered where
  an answer of the same customer comes after it, before the next contact and in time. Its group is what was sent.

  Settings:
    input      the input frame
    customer   its column that names the customer
    moment     its column with the moment of the event
    event      its column that says what happened
    contacts   the value of it, or list of values, of a contact
    answers    the value, or list of values, of an answer
    hours      so many hours after the contact an answer counts; may be left out
#}
WITH events AS (
    SELECT
        CAST(`{{ customer | name }}` AS STRING) AS customer,
        CAST(CAST(`{{ moment | name }}` AS STRING) AS TIMESTAMP) AS moment,
        lower(trim(CAST(`{{ event | name }}` AS STRING))) AS event
    FROM {{ '{' ~ (input | name) ~ '}' }}
),

in_order AS (
    SELECT
        customer,
        moment,
        event,
        event IN ({{ contacts | spellings }}) AS is_contact,
        count_if(event IN ({{ contacts | spellings }}))
            OVER (PARTITION BY customer ORDER BY moment) AS number
    FROM events
    WHERE event IN ({{ contacts | spellings }}) OR event IN ({{ answers | spellings }})
)

SELECT
    customer,
    max(event) FILTER (WHERE is_contact) AS `group`,
    max(moment) FILTER (WHERE is_contact) AS moment,
{% if hours is defined %}
    coalesce(
        min(moment) FILTER (WHERE NOT is_contact)
        <= max(moment) FILTER (WHERE is_contact) + make_interval(0, 0, 0, 0, {{ hours | whole }}),
        false
    ) AS responded
{% else %}
    count_if(NOT is_contact) > 0 AS responded
{% endif %}
FROM in_order
WHERE number > 0
GROUP BY customer, number
