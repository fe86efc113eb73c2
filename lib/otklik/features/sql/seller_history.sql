{#
  The seller's posts before the moment. Their reactions, comments and shares are those of the day of collection.

  Setting: windows, in days of 24 hours; 365 is always looked at.
#}
{% set windows = windows | map('whole') | list %}
{% set longest = ([365] + windows) | max %}
-- column days_since_last_post: days from the seller's last post to the moment, at most {{ longest }}, empty without one | дней от последней записи продавца, не больше {{ longest }}, пусто, если её нет
-- column top_quarter_begins: 75th percentile of the shares of the seller's posts of the last 365 days | 75-й процентиль числа репостов у записей продавца за последние 365 дн.
-- column same_type_posts_365d: posts of the planned type in the last 365 days | записей того же вида за последние 365 дн.
-- column same_type_mean_shares_365d: mean shares of those posts, empty without any | среднее число репостов у этих записей, пусто, если их нет
-- column same_type_top_share_365d: share of those posts with more shares than the 75th percentile, empty without any | доля этих записей, у которых репостов больше 75-го процентиля, пусто, если их нет
{% for days in windows %}
-- column posts_{{ days }}d: posts of the seller in the last {{ (days ~ 'd') | in_english }} | записей продавца за последние {{ (days ~ 'd') | in_russian }}
-- column video_share_{{ days }}d: share of videos in the posts of the last {{ (days ~ 'd') | in_english }}, empty without any | доля видео среди записей за последние {{ (days ~ 'd') | in_russian }}, пусто, если их нет
{% for measure, russian in (('shares', 'репостов'), ('comments', 'комментариев'), ('reactions', 'реакций')) %}
-- column mean_{{ measure }}_{{ days }}d: mean {{ measure }} of the posts of the last {{ (days ~ 'd') | in_english }}, empty without any | среднее число {{ russian }} у записей за последние {{ (days ~ 'd') | in_russian }}, пусто, если их нет
-- column median_{{ measure }}_{{ days }}d: median {{ measure }} of the posts of the last {{ (days ~ 'd') | in_english }}, empty without any | медиана числа {{ russian }} у записей за последние {{ (days ~ 'd') | in_russian }}, пусто, если их нет
{% endfor %}
{% endfor %}
-- reads [after] num_shares, num_comments, num_reactions: of posts published before the moment only; their counts are those of the day of collection, which may be higher than what was seen at the moment
{% macro within(days) %}FILTER (WHERE us_before < {{ days }} * 86400000000){% endmacro %}
WITH posts AS (
    SELECT *, substring_index(status_id, '_', 1) AS seller
    FROM {posts}
),

earlier AS (
    SELECT
        r.key,
        r.moment,
        before.status_type,
        before.status_type = planned.status_type AS is_same_type,
        before.num_shares,
        before.num_comments,
        before.num_reactions,
        unix_micros(r.moment) - unix_micros(before.published_at) AS us_before
    FROM {rows} AS r
    INNER JOIN posts AS planned ON planned.status_id = r.key
    INNER JOIN posts AS before
        ON before.seller = planned.seller
        AND before.published_at < r.moment
        AND before.published_at > r.moment - INTERVAL '{{ longest * 24 }}' HOUR
        AND (before.known_at <= r.moment OR before.known_at IS NULL)
),

in_windows AS (
    SELECT
        key,
        moment,
        min(us_before) / 86400000000D AS days_since_last_post,
{% for days in windows %}
        count(us_before) {{ within(days) }} AS posts_{{ days }}d,
        avg(CAST(status_type = 'video' AS INT)) {{ within(days) }} AS video_share_{{ days }}d,
{% for measure in ('shares', 'comments', 'reactions') %}
        avg(num_{{ measure }}) {{ within(days) }} AS mean_{{ measure }}_{{ days }}d,
        percentile(num_{{ measure }}, 0.5) {{ within(days) }} AS median_{{ measure }}_{{ days }}d,
{% endfor %}
{% endfor %}
        percentile(num_shares, 0.75) {{ within(365) }} AS top_quarter_begins
    FROM earlier
    GROUP BY key, moment
),

of_the_type AS (
    SELECT
        earlier.key,
        earlier.moment,
        count(*) AS same_type_posts_365d,
        avg(earlier.num_shares) AS same_type_mean_shares_365d,
        avg(CAST(earlier.num_shares > in_windows.top_quarter_begins AS INT)) AS same_type_top_share_365d
    FROM earlier
    INNER JOIN in_windows ON in_windows.key = earlier.key AND in_windows.moment = earlier.moment
    WHERE earlier.is_same_type AND earlier.us_before < 365 * 86400000000
    GROUP BY earlier.key, earlier.moment
)

SELECT
    r.key,
    r.moment,
    h.days_since_last_post,
    h.top_quarter_begins,
    coalesce(t.same_type_posts_365d, 0) AS same_type_posts_365d,
    t.same_type_mean_shares_365d,
    t.same_type_top_share_365d,
{% for days in windows %}
    coalesce(h.posts_{{ days }}d, 0) AS posts_{{ days }}d,
    h.video_share_{{ days }}d,
{% for measure in ('shares', 'comments', 'reactions') %}
    h.mean_{{ measure }}_{{ days }}d,
    h.median_{{ measure }}_{{ days }}d{{ ',' if not (loop.last and days == windows[-1]) }}
{% endfor %}
{% endfor %}
FROM {rows} AS r
LEFT JOIN in_windows AS h ON h.key = r.key AND h.moment = r.moment
LEFT JOIN of_the_type AS t ON t.key = r.key AND t.moment = r.moment
