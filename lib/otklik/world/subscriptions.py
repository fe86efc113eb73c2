"""Subscriptions with a contract: who cancels, and why. A subscription may end in each month.

The log-odds of churn in a month are linear in features that are known at its beginning; `CAUSES` has all of them.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql.functions import expr

from otklik.world.draws import Draws
from otklik.world.people import CUSTOMER_ID
from otklik.world.timeline import DELIVERED_AT, LOCAL_OFFSET

#: Subscriptions begin on days of the two years before the files are delivered.
FIRST_DAY = date(2023, 7, 1)
_LAST_DAY = (DELIVERED_AT + LOCAL_OFFSET).date()
PLANS, PAYMENTS, FEES = {"monthly": 60, "yearly": 40}, {"card": 70, "invoice": 30}, {"2500": 50, "4500": 35, "7000": 15}
#: Share of months in which a subscriber calls support.
CALL_SHARE = 0.08
#: Log-odds of churn in a month, without causes.
BASE_LOG_ODDS = -3.6
#: Cause → its coefficient and feature (SQL over the subscription's columns and `month`, from 0).
CAUSES = {
    "monthly_plan": (1.0, "if(plan = 'monthly', 1D, 0D)"),
    "invoice": (0.6, "if(payment = 'invoice', 1D, 0D)"),
    "called_in_month_before": (1.4, "if(month > 0 AND array_contains(call_months, month - 1), 1D, 0D)"),
    "months_so_far": (-0.07, "CAST(least(month, 12) AS DOUBLE)"),
}


def with_subscriptions(customers: DataFrame, draws: Draws, without: Collection[str]) -> DataFrame:
    """Add the subscription of each customer.

    Args:
        customers: one row per customer, with `number`.
        draws: the draws of this world.
        without: effects that are switched off.

    Returns:
        number, customer_id, subscription_id, plan, payment, fee, started_on, ended_on (null while active),
        call_months ARRAY<INT> (months of tenure in which the subscriber called), hazard (the probability of churn
        in the month after the last complete one, while active).
    """
    causes = {} if "churn_causes" in without else CAUSES
    terms = [f"{BASE_LOG_ODDS}D", *(f"{coefficient}D * {sql}" for coefficient, sql in causes.values())]
    hazard = f"1D / (1D + exp(-({' + '.join(terms)})))"
    days = (_LAST_DAY - FIRST_DAY).days
    return (
        customers.selectExpr(
            "number",
            CUSTOMER_ID,
            "concat('S', lpad(number + 1, 7, '0')) AS subscription_id",
            f"{draws.weighted(PLANS, 'plan')} AS plan",
            f"{draws.weighted(PAYMENTS, 'payment')} AS payment",
            f"{draws.weighted(FEES, 'fee')} AS fee",
            f"date_add(DATE'{FIRST_DAY}', CAST({draws.below(days, 'started')} AS INT)) AS started_on",
        )
        .withColumn("months", expr(f"CAST(floor(months_between(DATE'{_LAST_DAY}', started_on)) AS INT)"))
        .withColumn(
            "call_months",
            expr(f"filter(sequence(0, months), month -> {draws.uniform('call', 'month')} < {CALL_SHARE}D)"),
        )
        .withColumn(
            "end_month",
            expr(f"array_min(filter(sequence(0, months), month -> {draws.uniform('end', 'month')} < {hazard}))"),
        )
        # Day 28 at the latest, so that the day exists in every month.
        .withColumn(
            "ended_on",
            expr(f"date_add(add_months(started_on, end_month), CAST({draws.below(28, 'end day')} AS INT))"),
        )
        .withColumn("ended_on", expr(f"if(ended_on < DATE'{_LAST_DAY}', ended_on, NULL)"))
        .withColumn("month", expr("months"))
        .withColumn("hazard", expr(f"if(ended_on IS NULL, {hazard}, NULL)"))
        .drop("months", "month", "end_month")
    )


def records(subscriptions: DataFrame) -> DataFrame:
    """The subscriptions as the billing system exports them."""
    return subscriptions.selectExpr(
        "subscription_id",
        "customer_id",
        "plan",
        "payment",
        "fee",
        "date_format(started_on, 'yyyy-MM-dd') AS started_on",
        "coalesce(date_format(ended_on, 'yyyy-MM-dd'), '') AS ended_on",
    )


def call_records(subscriptions: DataFrame, draws: Draws) -> DataFrame:
    """The calls to support during the subscription, one row each."""
    day = f"date_add(add_months(started_on, month), CAST({draws.below(28, 'call day', 'month')} AS INT))"
    return (
        subscriptions.selectExpr("number", "subscription_id", "started_on", "ended_on", "explode(call_months) AS month")
        .selectExpr("*", f"{day} AS called_on")
        .where(f"called_on < coalesce(ended_on, DATE'{_LAST_DAY}')")
        .selectExpr(
            # A consecutive number of the month would reveal the tenure.
            f"lower(hex({draws.bits('call id', 'month')})) AS call_id",
            "subscription_id",
            "concat(date_format(called_on, 'yyyy-MM-dd'), format_string(' %02d:%02d:00', "
            f"9 + {draws.below(9, 'call hour', 'month')}, {draws.below(60, 'call minute', 'month')})) AS called_at",
        )
    )


def truth(subscriptions: DataFrame) -> DataFrame:
    """The truth behind the data: subscription_id, hazard (see `with_subscriptions`)."""
    return subscriptions.selectExpr("subscription_id", "hazard")
