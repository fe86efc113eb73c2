{#
  Engagement up to a moment, to the microsecond: an event counts in a window of n hours when it happened in
  (moment − n hours, moment] and was known at the moment.

  Settings (all windows are texts like '6h' or '30d', a day being 24 hours):
    events              the input frame; its columns: customer_column (default customer_id), time_column (happened_at)
    windows             windows of the count of all events
    kinds, kind_windows values of kind_column (default kind) that are counted, each in these windows
    topics, topic_windows        the same for topic_column (default topic); may be left out
    networks, network_windows    the same for network_column (default network); may be left out
    trend_window        this window is compared with the one just before; may be left out
    time_zone           whose clock the hours and weekdays are (default UTC)
  The horizon, the longest of all these, is what recency, profile and distinct topics look back to.
#}
{% set topics = topics | default([]) %}
{% set networks = networks | default([]) %}
{% set topic_windows = topic_windows | default([]) %}
{% set network_windows = network_windows | default([]) %}
{% macro hours(window) %}{{ (window[:-1] | int) * {'h': 1, 'd': 24}[window[-1]] }}{% endmacro %}
{% macro within(window) %}us_before < {{ hours(window) }} * 3600000000{% endmacro %}
{% set horizon = namespace(hours=0, name='') %}
{% for window in windows + kind_windows + topic_windows + network_windows %}
{% if hours(window) | int > horizon.hours %}
{% set horizon.hours = hours(window) | int %}
{% set horizon.name = window %}
{% endif %}
{% endfor %}
{% if trend_window is defined and 2 * (hours(trend_window) | int) > horizon.hours %}
{% set horizon.hours = 2 * (hours(trend_window) | int) %}
{% set horizon.name = horizon.hours ~ 'h' %}
{% endif %}
{% for window in windows %}
-- column event_count_{{ window | name }}: events in the last {{ window | in_english }} | событий за последние {{ window | in_russian }}
{% endfor %}
{% for kind in kinds %}
{% for window in kind_windows %}
-- column {{ kind | lower | name }}_count_{{ window | name }}: events of kind {{ kind }} in the last {{ window | in_english }} | событий вида {{ kind }} за последние {{ window | in_russian }}
{% endfor %}
{% endfor %}
{% for topic in topics %}
{% for window in topic_windows %}
-- column about_{{ topic | lower | name }}_count_{{ window | name }}: events about {{ topic }} in the last {{ window | in_english }} | событий на тему {{ topic }} за последние {{ window | in_russian }}
{% endfor %}
{% endfor %}
{% for network in networks %}
{% for window in network_windows %}
-- column on_{{ network | lower | name }}_count_{{ window | name }}: events on {{ network }} in the last {{ window | in_english }} | событий в сети {{ network }} за последние {{ window | in_russian }}
{% endfor %}
{% endfor %}
-- column days_since_last_event: days since the last event, at most {{ '%g' | format(horizon.hours / 24) }} (also where there is none) | дней с последнего события, не больше {{ '%g' | format(horizon.hours / 24) }} (и когда событий нет)
{% if trend_window is defined %}
-- column activity_trend_{{ trend_window | name }}: log of events in the last {{ trend_window | in_english }} over those in the {{ trend_window | in_english }} before, each plus one | логарифм отношения числа событий за последние {{ trend_window | in_russian }} к предыдущим {{ trend_window | in_russian }} (к обоим прибавлено 1)
{% endif %}
{% if topics %}
-- column distinct_topics_{{ horizon.name | name }}: how many of the named topics in the last {{ horizon.name | in_english }} | сколько из названных тем за последние {{ horizon.name | in_russian }}
{% endif %}
-- column night_share_{{ horizon.name | name }}: share of events from 0 to 6 h, empty without events | доля событий с 0 до 6 ч, пусто без событий
-- column morning_share_{{ horizon.name | name }}: share of events from 6 to 12 h, empty without events | доля событий с 6 до 12 ч, пусто без событий
-- column evening_share_{{ horizon.name | name }}: share of events from 18 to 24 h, empty without events | доля событий с 18 до 24 ч, пусто без событий
-- column weekend_share_{{ horizon.name | name }}: share of events on Saturday and Sunday, empty without events | доля событий в субботу и воскресенье, пусто без событий
{# Name of a count and which events it counts; what has no event is 0 in the end. #}
{% set counts = namespace(all=[]) %}
{% for window in windows %}
{% set counts.all = counts.all + [('event_count_' ~ (window | name), within(window))] %}
{% endfor %}
{% for column, values, start, spans in [
    ('kind', kinds, '', kind_windows), ('topic', topics, 'about_', topic_windows), ('network', networks, 'on_', network_windows)
] %}
{% for value in values %}
{% for window in spans %}
{% set counted = column ~ ' = ' ~ (value | literal) ~ ' AND ' ~ within(window) %}
{% set counts.all = counts.all + [(start ~ (value | lower | name) ~ '_count_' ~ (window | name), counted)] %}
{% endfor %}
{% endfor %}
{% endfor %}
WITH known AS (
    -- The events pass by the rows, which are few and laid in a hash table. An outer join would gather the events of each
    -- row instead, which takes half as long again: so rows without any come in at the end.
    SELECT /*+ SHUFFLE_HASH(r) */
        r.key,
        r.moment,
        unix_micros(r.moment) - unix_micros(e.{{ time_column | default('happened_at') | name }}) AS us_before,
        e.{{ kind_column | default('kind') | name }} AS kind,
{% if topics %}
        e.{{ topic_column | default('topic') | name }} AS topic,
{% endif %}
{% if networks %}
        e.{{ network_column | default('network') | name }} AS network,
{% endif %}
        from_utc_timestamp(e.{{ time_column | default('happened_at') | name }}, {{ time_zone | default('UTC') | literal }}) AS local_time
    FROM {{ '{' ~ (events | name) ~ '}' }} AS e
    JOIN {rows} AS r
        ON CAST(e.{{ customer_column | default('customer_id') | name }} AS STRING) = r.unit
        AND e.{{ time_column | default('happened_at') | name }} <= r.moment
        AND e.{{ time_column | default('happened_at') | name }} > r.moment - INTERVAL '{{ horizon.hours }}' HOUR
        AND (e.known_at <= r.moment OR e.known_at IS NULL)
),

counted AS (
    SELECT
        key,
        moment,
{% for count, counted in counts.all %}
        count_if({{ counted }}) AS {{ count }},
{% endfor %}
        min(us_before) / 86400000000D AS days_since_last_event,
{% if trend_window is defined %}
        ln(
            (1D + count_if({{ within(trend_window) }}))
            / (1D + count_if(us_before >= {{ hours(trend_window) }} * 3600000000 AND us_before < 2 * {{ hours(trend_window) }} * 3600000000))
        ) AS activity_trend_{{ trend_window | name }},
{% endif %}
{% if topics %}
        bit_count(bit_or(CASE topic{% for topic in topics %} WHEN {{ topic | literal }} THEN {{ 2 ** loop.index0 }}L{% endfor %} END)) AS distinct_topics_{{ horizon.name | name }},
{% endif %}
        try_divide(count_if(hour(local_time) < 6), count(us_before)) AS night_share_{{ horizon.name | name }},
        try_divide(count_if(hour(local_time) BETWEEN 6 AND 11), count(us_before)) AS morning_share_{{ horizon.name | name }},
        try_divide(count_if(hour(local_time) >= 18), count(us_before)) AS evening_share_{{ horizon.name | name }},
        try_divide(count_if(weekday(local_time) >= 5), count(us_before)) AS weekend_share_{{ horizon.name | name }}
    FROM known
    GROUP BY key, moment
)

SELECT
    r.key,
    r.moment,
{% for count, _ in counts.all %}
    coalesce(c.{{ count }}, 0) AS {{ count }},
{% endfor %}
    coalesce(c.days_since_last_event, {{ horizon.hours / 24 }}D) AS days_since_last_event,
{% if trend_window is defined %}
    coalesce(c.activity_trend_{{ trend_window | name }}, 0D) AS activity_trend_{{ trend_window | name }},
{% endif %}
{% if topics %}
    coalesce(c.distinct_topics_{{ horizon.name | name }}, 0) AS distinct_topics_{{ horizon.name | name }},
{% endif %}
    c.night_share_{{ horizon.name | name }},
    c.morning_share_{{ horizon.name | name }},
    c.evening_share_{{ horizon.name | name }},
    c.weekend_share_{{ horizon.name | name }}
FROM {rows} AS r
LEFT JOIN counted AS c ON c.key = r.key AND c.moment = r.moment
