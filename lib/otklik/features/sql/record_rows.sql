{#
  One row per record of a table, for data in which a record is a customer with an answer.

  Settings:
    input           the input frame
    key             its column that names the customer
    label, yes      its column with the answer, and the value that means yes; any other value means no, empty unknown
    moment          the decision moment of all rows, e.g. '2020-03-31': the day on which the table was drawn; or
    moment_column   the column that holds it
#}
SELECT
    CAST(`{{ key | name }}` AS STRING) AS key,
{% if moment_column is defined %}
    CAST(`{{ moment_column | name }}` AS TIMESTAMP) AS moment,
{% else %}
    CAST({{ moment | literal }} AS TIMESTAMP) AS moment,
{% endif %}
    CASE WHEN `{{ label | name }}` = {{ yes | literal }} THEN 1 WHEN `{{ label | name }}` IS NOT NULL THEN 0 END AS label
FROM {{ '{' ~ (input | name) ~ '}' }}
