{# Setting: time_zone, whose clock the hour and the weekday are. #}
-- What is planned of a post, and the reactions that it drew afterwards.
-- column status_type: kind of post | вид записи
-- column hour: hour at which it is to appear | час, в который она выйдет
-- column weekday: day of the week, 1 is Monday | день недели, 1 — понедельник
-- column num_reactions [after]: reactions of all kinds to the post | реакций всех видов на запись
-- column num_comments [after]: comments on the post | комментариев к записи
-- column num_likes [after]: likes of the post | отметок «нравится» у записи
-- column num_loves [after]: “love” reactions to the post | реакций «супер» на запись
-- column num_wows [after]: “wow” reactions to the post | реакций «ух ты» на запись
-- column num_hahas [after]: “haha” reactions to the post | реакций «ха-ха» на запись
-- column num_sads [after]: “sad” reactions to the post | реакций «сочувствую» на запись
-- column num_angrys [after]: “angry” reactions to the post | реакций «возмутительно» на запись
SELECT
    r.key,
    r.moment,
    p.status_type,
    hour(from_utc_timestamp(p.published_at, {{ time_zone | literal }})) AS hour,
    weekday(from_utc_timestamp(p.published_at, {{ time_zone | literal }})) + 1 AS weekday,
    p.num_reactions,
    p.num_comments,
    p.num_likes,
    p.num_loves,
    p.num_wows,
    p.num_hahas,
    p.num_sads,
    p.num_angrys
FROM {rows} AS r
INNER JOIN {posts} AS p ON p.status_id = r.key
