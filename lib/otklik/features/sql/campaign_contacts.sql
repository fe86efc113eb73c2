-- One row per contact of a campaign. A yes counts if it came within the label's window and by the as-of moment; one that
-- came later is a no, as it was when the window was over.
SELECT
    contact_id AS key,
    contacted_at AS moment,
    CASE
{% if label_window_hours %}
        WHEN responded_at > contacted_at + INTERVAL '{{ label_window_hours | whole }}' HOUR THEN 0
{% endif %}
        WHEN responded_at <= :as_of THEN 1
        WHEN responded = 'no' THEN 0
    END AS label,
    customer_id AS unit
FROM {contacts}
