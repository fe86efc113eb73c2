-- How often others reposted, mentioned or answered an account up to the moment.
-- column received_count_6h: acts of others towards the account in the last 6 hours | действий других в отношении аккаунта за последние 6 ч
-- column received_count_24h: the same in the last 24 hours | то же за последние 24 ч
-- column received_count_72h: the same in the last 72 hours | то же за последние 72 ч
-- column received_rt_count_24h: reposts of the account in the last 24 hours | репостов аккаунта за последние 24 ч
-- column received_mt_count_24h: mentions of the account in the last 24 hours | упоминаний аккаунта за последние 24 ч
-- column received_re_count_24h: replies to the account in the last 24 hours | ответов аккаунту за последние 24 ч
-- column received_from_24h: different accounts behind those acts | разных аккаунтов за этими действиями
WITH received AS (
    SELECT
        r.key,
        r.moment,
        a.actor,
        a.kind,
        unix_micros(r.moment) - unix_micros(a.happened_at) AS us_before
    FROM {rows} AS r
    LEFT JOIN {activity} AS a
        ON CAST(a.target AS STRING) = r.unit
        -- Some accounts act on themselves.
        AND a.actor <> a.target
        AND a.happened_at <= r.moment
        AND a.happened_at > r.moment - INTERVAL '72' HOUR
        AND (a.known_at <= r.moment OR a.known_at IS NULL)
)

SELECT
    key,
    moment,
    count_if(us_before < 6 * 3600000000) AS received_count_6h,
    count_if(us_before < 24 * 3600000000) AS received_count_24h,
    count(us_before) AS received_count_72h,
    count_if(kind = 'RT' AND us_before < 24 * 3600000000) AS received_rt_count_24h,
    count_if(kind = 'MT' AND us_before < 24 * 3600000000) AS received_mt_count_24h,
    count_if(kind = 'RE' AND us_before < 24 * 3600000000) AS received_re_count_24h,
    size(collect_set(CASE WHEN us_before < 24 * 3600000000 THEN actor END)) AS received_from_24h
FROM received
GROUP BY key, moment
