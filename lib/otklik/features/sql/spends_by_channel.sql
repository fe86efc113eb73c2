{#
  One row per week and channel, from a table that has a column per channel.

  Settings:
    input      the input frame
    moment     its column with the first day of the week
    channels   name of a channel = its column with what was spent
#}
SELECT
    CAST(`{{ moment | name }}` AS TIMESTAMP) AS moment,
    stack(
        {{ channels | length }}
        {%- for channel, column in channels.items() %},
        {{ channel | literal }}, CAST(`{{ column | name }}` AS DOUBLE)
        {%- endfor %}
    ) AS (channel, spend)
FROM {{ '{' ~ (input | name) ~ '}' }}
