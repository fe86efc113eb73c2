-- One row per contact. The file has no year: it is in the order of its rows, from May 2008 on, so a step back in the
-- months is a new year.
WITH numbered AS (
    SELECT
        -- In the order of files and records, also where the calls come in several files; of one file the record's number.
        (DENSE_RANK() OVER (ORDER BY _file) - 1) * 1000000000 + _record_no AS record_no,
        CAST(date_format(to_date(concat('2000-', initcap(month), '-01'), 'yyyy-MMM-dd'), 'M') AS INT) AS month_no,
        day,
        y
    FROM {contacts}
),

with_years AS (
    SELECT
        *,
        {{ first_year | whole }} + SUM(is_new_year) OVER (ORDER BY record_no) AS year_no
    FROM (
        SELECT
            *,
            CASE WHEN month_no < LAG(month_no) OVER (ORDER BY record_no) THEN 1 ELSE 0 END AS is_new_year
        FROM numbered
    )
)

SELECT
    CAST(record_no AS STRING) AS key,
    -- None for a day that its year does not have: the 29th of February.
    try_to_timestamp(concat_ws('-', year_no, month_no, day), 'y-M-d') AS moment,
    CASE y WHEN 'yes' THEN 1 WHEN 'no' THEN 0 END AS label,
    record_no AS position
FROM with_years
