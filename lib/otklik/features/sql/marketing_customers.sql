{#
  One row per customer of the marketing_campaign table, with the answer to the latest campaign.

  Setting: extract_day, the day on which the table was drawn: the decision moment of all rows.

  Some customers are equal to another one in everything but the number: perhaps one household twice. They stay, but
  share a unit, so that none of them is learnt from while the other is predicted.
#}
SELECT
    CAST(id AS STRING) AS key,
    CAST({{ extract_day | literal }} AS TIMESTAMP) AS moment,
    response AS label,
    CAST(
        min(id) OVER (
            PARTITION BY
                year_birth, education, marital_status, income, kidhome, teenhome, enrolled_on, recency,
                mnt_wines, mnt_fruits, mnt_meat_products, mnt_fish_products, mnt_sweet_products, mnt_gold_prods,
                num_deals_purchases, num_web_purchases, num_catalog_purchases, num_store_purchases,
                num_web_visits_month,
                accepted_cmp1, accepted_cmp2, accepted_cmp3, accepted_cmp4, accepted_cmp5, complain
        ) AS STRING
    ) AS unit
FROM {customers}
