{#
  One row per account and moment at which it had acted in the last 24 hours; yes if it acts again in the 24 after.
  "Account" is the one that acts (reposts, mentions or answers somebody), never the one that is acted upon.

  Settings:
    first_moment     the first moment, e.g. '2012-07-02T00:00:00Z'; a whole multiple of every_hours since 1970
    every_hours      hours from one moment to the next; divides 24
    one_account_in   only one account in n, drawn by the hash of its number, so that the table stays small
#}
{% set step = (every_hours | divisor_of(24)) * 3600000000 %}
{% set day = 24 * 3600000000 %}
WITH acts AS (
    SELECT CAST(actor AS STRING) AS account, unix_micros(happened_at) AS at_us
    FROM {activity}
    WHERE pmod(xxhash64(CAST(actor AS STRING), 'higgs_return'), {{ one_account_in | whole }}) = 0
),

-- An act lies in (moment − 24 h, moment] of exactly these moments: the next one (or its own), and all within a day.
active AS (
    SELECT account, explode(sequence(next_us, next_us + {{ day - step }}, {{ step }})) AS moment_us
    FROM (SELECT DISTINCT account, CAST(ceil(at_us / {{ step }}) AS BIGINT) * {{ step }} AS next_us FROM acts)
),

chosen AS (
    SELECT DISTINCT account, moment_us
    FROM active
    WHERE moment_us >= unix_micros(TIMESTAMP {{ first_moment | literal }})
)

SELECT
    chosen.account AS key,
    timestamp_micros(chosen.moment_us) AS moment,
    CAST(count(again.at_us) > 0 AS INT) AS label
FROM chosen
LEFT JOIN acts AS again
    ON again.account = chosen.account
    AND again.at_us > chosen.moment_us
    AND again.at_us <= chosen.moment_us + {{ day }}
GROUP BY chosen.account, chosen.moment_us
