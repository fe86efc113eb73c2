"""Three mailings to customers of the shop: one randomised, two with selected recipients.

In the first, the discount has a positive effect on customers at risk, a negative one on recent buyers, and none on the
others; the story has no effect. The other two go mostly to customers who would have bought anyway: in the second the
discount has no effect, in the third the same effect on everybody.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from pyspark.sql import DataFrame

from otklik.world.draws import Draws, text, texts
from otklik.world.timeline import local_text, microseconds_of_local_day

#: Mailing → the day on which it is sent, at SENT_HOUR.
SENT_ON = {"Весна": date(2025, 3, 3), "Возвращение": date(2025, 5, 12), "Лето": date(2025, 6, 9)}
SENT_HOUR = 10
#: A purchase counts within this time.
WINDOW = timedelta(days=14)
_MAIL_ID = f"concat('M', lpad(number, 7, '0'), array_position({texts(list(SENT_ON))}, mailing)) AS mail_id"
ARMS = ("control", "discount", "story")

#: Effect of the first mailing's discount on the probability: days since the last receipt (from, below), and increase.
UPLIFTS = ((0, 10, -0.04), (10, 30, 0.0), (30, 120, 0.10), (120, 10_000, 0.0))
#: Probability of a purchase without mail: BASE + RECENT · exp(−days since the last receipt / RECENT_DAYS).
BASE, RECENT, RECENT_DAYS = 0.06, 0.12, 60
#: Shares of recipients of the other two mailings among buyers within CHOSEN_DAYS, and among the others.
CHOSEN_DAYS, CHOSEN_SHARES = 45, (0.8, 0.2)
#: Effect of the third mailing's discount on the probability.
CHOSEN_UPLIFT = 0.06


def contacts(customers: DataFrame, draws: Draws, without: Collection[str]) -> DataFrame:
    """One row per customer and mailing, for customers who had bought before it, in the customers' order.

    Args:
        customers: from `purchases.with_purchases`.
        draws: the draws of this world.
        without: effects that are switched off.

    Returns:
        number, customer_id, mailing, sent_us, arm, days_since_last, probability_without, uplift (of this arm),
        is_bought, spent (tenge, null if nothing was bought).
    """
    sent = ", ".join(
        f"struct({text(name)} AS mailing, {microseconds_of_local_day(day) + SENT_HOUR * 3_600_000_000}L AS us)"
        for name, day in SENT_ON.items()
    )
    first, _, third = SENT_ON
    by_recency = " ".join(
        f"WHEN days_since_last < {end} THEN {0.0 if 'uplift' in without else change}D" for _, end, change in UPLIFTS
    )
    of_chosen = 0.0 if "chosen_uplift" in without else CHOSEN_UPLIFT
    arm_at_random = draws.one_of(ARMS, "arm", "mailing")
    chosen, other = CHOSEN_SHARES
    share = (
        f"{(chosen + other) / 2}D"
        if "confounding" in without
        else (f"if(days_since_last < {CHOSEN_DAYS}, {chosen}D, {other}D)")
    )
    arm_by_choice = f"if({draws.uniform('chosen', 'mailing')} < {share}, 'discount', 'control')"
    return (
        customers.selectExpr("number", "customer_id", "receipts", f"explode(array({sent})) AS sent")
        .selectExpr(
            "number", "customer_id", "sent.mailing AS mailing", "sent.us AS sent_us",
            "array_max(transform(filter(receipts, each -> each.us < sent.us), each -> each.us)) AS last_us",
        )
        .where("last_us IS NOT NULL")
        .selectExpr("* EXCEPT (last_us)", "CAST((sent_us - last_us) DIV 86400000000 AS INT) AS days_since_last")
        .selectExpr("*", f"if(mailing = {text(first)}, {arm_at_random}, {arm_by_choice}) AS arm")
        .selectExpr(
            "*",
            f"{BASE}D + {RECENT}D * exp(-days_since_last / {RECENT_DAYS}D) AS probability_without",
            f"""CASE WHEN arm <> 'discount' THEN 0D WHEN mailing = {text(first)} THEN CASE {by_recency} END
                WHEN mailing = {text(third)} THEN {of_chosen}D ELSE 0D END AS uplift""",
        )
        .selectExpr(
            "*", f"{draws.uniform('buys after mail', 'mailing')} < probability_without + uplift AS is_bought",
        )
        .selectExpr(
            "*",
            f"if(is_bought, round(exp(8.2D + 0.6D * {draws.normal('spent', 'mailing')}), 2), NULL) AS spent",
        )
    )  # fmt: skip


def records(rows: DataFrame) -> DataFrame:
    """The contacts as the mailing system exports them: texts, local times."""
    return rows.selectExpr(
        _MAIL_ID,
        "customer_id",
        "mailing",
        f"{local_text('sent_us', 'yyyy-MM-dd HH:mm:ss')} AS sent_at",
        "'email' AS channel",
        "arm",
        "if(is_bought, 'yes', 'no') AS bought",
        # format_string formats null as the string null.
        "if(is_bought, format_string('%.2f', spent), '0') AS spent",
    )


def truth(rows: DataFrame) -> DataFrame:
    """The truth behind the data: mail_id, customer_id, mailing, arm, probability_without, uplift."""
    return rows.selectExpr(
        _MAIL_ID,
        "customer_id", "mailing", "arm", "days_since_last", "probability_without", "uplift",
    )  # fmt: skip
