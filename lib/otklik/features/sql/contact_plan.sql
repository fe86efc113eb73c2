-- What is planned for this contact, what earlier ones brought, and what only the contact itself will tell.
-- column channel: channel of the contact | канал контакта
-- column call_number: this will be contact number n with the customer | номер контакта с клиентом
-- column previous_responses: earlier contacts the customer had said yes to by then | прежних согласий к этому моменту
-- column talk_seconds [after]: length of the talk, seconds | длительность разговора, секунд
-- reads [after] responded_at: of earlier contacts only, and only where the answer had come by the moment
SELECT
    r.key,
    r.moment,
    any_value(planned.channel) AS channel,
    any_value(planned.call_number) AS call_number,
    count_if(earlier.responded_at <= r.moment) AS previous_responses,
    any_value(planned.talk_seconds) AS talk_seconds
FROM {rows} AS r
LEFT JOIN {contacts} AS planned ON planned.contact_id = r.key
LEFT JOIN {contacts} AS earlier
    ON earlier.customer_id = r.unit
    AND earlier.contacted_at < r.moment
    AND (earlier.known_at <= r.moment OR earlier.known_at IS NULL)
GROUP BY r.key, r.moment
