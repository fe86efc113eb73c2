{#
  One row per record of a table, for data in which a record is a customer with an answer.

  Settings:
    input           the input frame
    key             its column that names the customer
    label, yes      its column with the answer, and the value, or list of values, that means yes: in any case, without
                    blanks around it, and in any way that yes is said, where it is one of them (yes, да, true, 1 …)
    no              the value or values that mean no. May be left out: then where yes is a way to say yes every way to
                    say no, else every other value but those that say that nothing is known (unknown, N/A, ? …). What
                    is neither yes nor no counts as unlabelled, as an empty value does
    above           in the place of yes, where label is a number: more than this means yes
    moment          the decision moment of all rows, e.g. '2020-03-31': the day on which the table was drawn; or
    moment_column   the column that holds it
#}
{% set answer %}regexp_replace(lower(trim(CAST(`{{ label | name }}` AS STRING))), '^([0-9]+)[.]0+$', '$1'){% endset %}
SELECT
    CAST(`{{ key | name }}` AS STRING) AS key,
{% if moment_column is defined %}
    -- As a text: a number, such as 20240305, would be taken for seconds since 1970.
    CAST(CAST(`{{ moment_column | name }}` AS STRING) AS TIMESTAMP) AS moment,
{% else %}
    CAST({{ moment | literal }} AS TIMESTAMP) AS moment,
{% endif %}
{% if above is defined %}
    CAST(`{{ label | name }}` > {{ above | literal }} AS INT) AS label
{% else %}
    CASE
        WHEN {{ answer }} IN ({{ yes | spellings }}) THEN 1
{% if no is defined %}
        WHEN {{ answer }} IN ({{ no | spellings }}) THEN 0
{% elif yes | opposites %}
        WHEN {{ answer }} IN ({{ yes | opposites }}) THEN 0
{% else %}
        WHEN {{ answer }} NOT IN ({{ '' | unknowns }}) THEN 0
{% endif %}
    END AS label
{% endif %}
FROM {{ '{' ~ (input | name) ~ '}' }}
