{#
  Columns of the task's records as they are; goes with record_rows.

  Settings:
    input        the input frame
    key          its column that names the customer
    columns      the columns to take
    known_after  columns that become known only after the decision; may be left out
#}
{% set known_after = known_after | default([]) %}
{% for column in columns %}
-- column {{ column | name }}: {{ column | replace('_', ' ') }} | {{ column | replace('_', ' ') }}
{% endfor %}
{% for column in known_after %}
-- column {{ column | name }} [after]: {{ column | replace('_', ' ') }} | {{ column | replace('_', ' ') }}
{% endfor %}
SELECT
{% for column in columns + known_after %}
    s.`{{ column | name }}`,
{% endfor %}
    r.key,
    r.moment
FROM {rows} AS r
INNER JOIN {{ '{' ~ (input | name) ~ '}' }} AS s ON CAST(s.`{{ key | name }}` AS STRING) = r.key
