{#
  One row per post; yes if it was shared more often than three quarters of its seller's posts of the 365 days before.
  The decision is made when the seller's day begins and its posts are planned. Only posts before that moment count, so
  what "top quarter" means is known when the decision is made; with fewer than least_posts of them there is no label.

  Settings:
    time_zone     whose midnight begins the day
    least_posts   of the seller in the 365 days before

  A post at midnight sharp belongs to the day that begins, so that "before" is < here.
#}
WITH posts AS (
    SELECT
        status_id,
        substring_index(status_id, '_', 1) AS seller,
        published_at,
        num_shares,
        date_trunc('DAY', from_utc_timestamp(published_at, {{ time_zone | literal }})) AS local_day
    FROM {posts}
),

planned AS (
    SELECT *, to_utc_timestamp(local_day, {{ time_zone | literal }}) AS moment
    FROM posts
)

SELECT
    planned.status_id AS key,
    planned.moment,
    CASE
        WHEN count(earlier.status_id) >= {{ least_posts | whole }}
            THEN CAST(any_value(planned.num_shares) > percentile(earlier.num_shares, 0.75) AS INT)
    END AS label,
    concat(any_value(planned.seller), ' ', date_format(any_value(planned.local_day), 'yyyy-MM-dd')) AS unit
FROM planned
LEFT JOIN posts AS earlier
    ON earlier.seller = planned.seller
    AND earlier.published_at < planned.moment
    AND earlier.published_at > planned.moment - INTERVAL '8760' HOUR
GROUP BY planned.status_id, planned.moment
