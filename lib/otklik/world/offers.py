"""An offer by phone: a pilot, and further campaigns in which the world responds to the user's lists.

Three quarters of those who order after the offer would have ordered anyway. A list by response attributes all of these
orders to itself, contacts too many people, and loses money; a follow-up says above which probability a contact pays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, timedelta

from pyspark.sql import DataFrame

from otklik.world import people
from otklik.world.draws import Draws
from otklik.world.timeline import local_text, microseconds_of_local_day

#: The pilot, its day, and the share of customers contacted in it, chosen at random.
PILOT, PILOT_DAY, PILOT_SHARE = "pilot", date(2025, 2, 3), 0.5
#: An order counts within this time.
WINDOW = timedelta(days=14)
#: Log-odds of an order after the offer: at 0 visits and 0 months, per visit (of the last month), per month.
BASE, PER_VISIT, PER_MONTH = -1.2, 0.8, -0.15
#: Share of these orders that the offer causes.
EFFECT_SHARE = 0.25
#: Shares of people to contact who are not reached, and who are reached late; days until then.
NEVER_SHARE, LATE_SHARE, LATE_DAYS = 0.08, 0.05, 9


def with_chances(customers: DataFrame, draws: Draws, without: Collection[str]) -> DataFrame:
    """Add customer_id, visits, months (as a customer), city, chance_with and chance_without (of an order)."""
    share = 0.0 if "offer_effect" in without else EFFECT_SHARE
    return (
        customers.selectExpr(
            "number", people.CUSTOMER_ID,
            f"CAST(floor(-2.5D * ln(1D - {draws.uniform('offer visits')})) AS INT) AS visits",
            f"1 + CAST({draws.below(36, 'offer months')} AS INT) AS months",
            f"{draws.weighted(people.CITIES, 'offer city')} AS city",
        )
        .selectExpr("*", f"1D / (1D + exp(-({BASE}D + {PER_VISIT}D * visits + {PER_MONTH}D * months))) AS chance_with")
        .selectExpr("*", f"{1 - share}D * chance_with AS chance_without")
    )  # fmt: skip


def pilot(everybody: DataFrame, draws: Draws) -> DataFrame:
    """Add campaign, made_us and is_contact of the pilot."""
    return everybody.selectExpr(
        "*", f"'{PILOT}' AS campaign", f"{microseconds_of_local_day(PILOT_DAY)}L AS made_us",
        f"{draws.uniform('in pilot')} < {PILOT_SHARE}D AS is_contact",
    )  # fmt: skip


def played(planned: DataFrame, draws: Draws) -> DataFrame:
    """Add contacted_us (null: no contact), ordered_us (null: no order) and amount.

    One draw per customer and campaign is compared with the probability with or without a contact.
    """
    reached = draws.uniform("reached", "campaign")
    delay = (
        f"if({reached} < {NEVER_SHARE + LATE_SHARE}D, {LATE_DAYS * 86_400}L, "
        f"36000L + {draws.below(28_800, 'contacted at', 'campaign')})"
    )
    chance = "if(contacted_us IS NULL, chance_without, chance_with)"
    left = f"({int(WINDOW.total_seconds())}D - coalesce(contacted_us - made_us, 0L) / 1000000D - 60D)"
    return (
        planned.selectExpr(
            "*", f"if(is_contact AND {reached} >= {NEVER_SHARE}D, made_us + 1000000L * {delay}, NULL) AS contacted_us"
        )
        .selectExpr("*", f"{draws.uniform('orders', 'campaign')} < {chance} AS is_ordered")
        .selectExpr(
            "*",
            "if(is_ordered, coalesce(contacted_us, made_us) + 1000000L * CAST("
            f"60D + {draws.uniform('ordered after', 'campaign')} * {left} AS BIGINT), NULL) AS ordered_us",
            f"round(exp(8.5D + 0.4D * {draws.normal('order amount', 'campaign')}), 2) AS amount",
        )
    )  # fmt: skip


def records(rows: DataFrame) -> Mapping[str, DataFrame]:
    """Contacts and orders as two systems export them: texts, local times."""
    at = "yyyy-MM-dd HH:mm:ss"
    return {
        "offer_contacts": rows.where("contacted_us IS NOT NULL").selectExpr(
            "concat(campaign, ' ', customer_id) AS contact_id", "campaign", "customer_id", "'phone' AS channel",
            f"{local_text('contacted_us', at)} AS contacted_at",
        ),
        "offer_orders": rows.where("ordered_us IS NOT NULL").selectExpr(
            "concat(campaign, ' ', customer_id) AS order_id", "customer_id",
            f"{local_text('ordered_us', at)} AS ordered_at", "format_string('%.2f', amount) AS amount",
        ),
    }  # fmt: skip
