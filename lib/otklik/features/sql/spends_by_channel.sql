{#
  One row per week and channel, or per region, week and channel, from a table that has a column per channel.

  Settings:
    input      the input frame
    moment     its column with the first day of the week
    channels   name of a channel = its column with what was spent
    region     its column with the region, where there is one
#}
SELECT
    CAST(CAST(`{{ moment | name }}` AS STRING) AS TIMESTAMP) AS moment,
    {%- if region is defined %}
    CAST(`{{ region | name }}` AS STRING) AS region,
    {%- endif %}
    stack(
        {{ channels | length }}
        {%- for channel, column in channels.items() %},
        {{ channel | literal }}, CAST(`{{ column | name }}` AS DOUBLE)
        {%- endfor %}
    ) AS (channel, spend)
FROM {{ '{' ~ (input | name) ~ '}' }}
