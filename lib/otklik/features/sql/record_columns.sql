{#
  Columns of the task's records as they are; goes with record_rows.

  Settings:
    input        the input frame
    key          its column that names the customer
    columns      the columns to take; of a date or time, the days from it to the row's moment
    known_after  columns that become known only after the decision; may be left out
    meanings     table of column = "English meaning | русский смысл"; a column that is not in it is called by its name
#}
{% set known_after = known_after | default([]) %}
{% set meanings = meanings | default({}) | meanings_of(columns + known_after) %}
{% for column in columns %}
-- column {{ column | name }}: {{ meanings[column] }}
{% endfor %}
{% for column in known_after %}
-- column {{ column | name }} [after]: {{ meanings[column] }}
{% endfor %}
SELECT
{% for column in columns + known_after %}
    s.`{{ column | name }}`,
{% endfor %}
    r.key,
    r.moment
FROM {rows} AS r
INNER JOIN {{ '{' ~ (input | name) ~ '}' }} AS s ON CAST(s.`{{ key | name }}` AS STRING) = r.key
