-- One row per contact of a campaign. An answer counts only if it had come by the as-of moment.
SELECT
    contact_id AS key,
    contacted_at AS moment,
    CASE WHEN responded_at <= :as_of THEN 1 WHEN responded = 'no' THEN 0 END AS label,
    customer_id AS unit
FROM {contacts}
