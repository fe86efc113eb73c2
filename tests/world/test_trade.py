"""The trade of the world: what is planted is there, by direct computation, and what is switched off is not."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import combinations
from math import exp, log
from pathlib import Path
from statistics import fmean, pvariance

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from otklik.errors import RefusedError
from otklik.world import advertising, mailings, options, purchases, shop, subscriptions, trade, visits
from otklik.world.writing import SourceFacts

pytestmark = pytest.mark.long

CUSTOMERS, SEED = 3_000, 7
Row = dict[str, str]


@dataclass(frozen=True)
class Trade:
    """A world's trade on disk."""

    folder: Path
    facts: Mapping[str, SourceFacts]

    def rows(self, source: str) -> list[Row]:
        """The records of a source in order, by Python's own reader."""
        found = []
        for file in sorted((self.folder / source).glob("part-*")):
            with file.open(encoding="utf-8", newline="") as content:
                found += list(csv.DictReader(content))
        return found

    def truth(self, name: str) -> list[dict]:
        return pq.read_table(self.folder / "truth" / f"{name}.parquet").to_pylist()

    def receipts(self) -> dict[str, list[Row]]:
        """Lines without defects and copies, by receipt."""
        found: dict[str, dict[str, Row]] = defaultdict(dict)
        for row in self.rows("receipts"):
            if row["receipt_id"].startswith("R"):
                found[row["receipt_id"]][row["line"]] = row
        return {receipt: list(lines.values()) for receipt, lines in found.items()}


def written(spark: SparkSession, folder: Path, without: list[str]) -> Trade:
    facts: dict[str, SourceFacts] = {}
    for part in options.PARTS:
        facts |= trade.write_part(spark, part, CUSTOMERS, SEED, str(folder), without)
    return Trade(folder, facts)


@pytest.fixture(scope="module")
def planted(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Trade:
    return written(spark, tmp_path_factory.mktemp("trade"), [])


@pytest.fixture(scope="module")
def placebo(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Trade:
    """The same world with every effect switched off."""
    return written(spark, tmp_path_factory.mktemp("placebo"), list(options.EFFECTS))


def test_a_plain_reading_finds_exactly_what_the_facts_say(planted: Trade) -> None:
    lines = planted.rows("receipts")
    names = [(row["receipt_id"], row["line"]) for row in lines if not row["receipt_id"].startswith("D")]
    facts = planted.facts["receipts"]

    assert len(lines) == facts.rows
    assert len(names) - len(set(names)) == facts.duplicates == CUSTOMERS / 500
    assert len(set(names)) == facts.accepted
    broken = Counter(
        "not_a_number" if row["quantity"] == "полтора" else
        "no_such_date" if row["bought_at"].startswith("2025-02-30") else
        "missing_required" if not row["product_id"] else "negative_price"
        for row in lines if row["receipt_id"].startswith("D")
    )  # fmt: skip
    assert broken == dict(facts.defects)
    assert all(len(planted.rows(source)) == found.rows for source, found in planted.facts.items())


def test_returns_and_cancelled_receipts_are_told_and_counted(planted: Trade) -> None:
    lines = {(row["receipt_id"], row["line"]): row for row in planted.rows("receipts")}
    truth = planted.truth("no_purchases")
    found = {name: row["kind"] for name, row in lines.items() if row["kind"] != "sale"}

    assert found == {(row["receipt_id"], str(row["line"])): row["kind"] for row in truth}
    assert Counter(found.values()) == {"return": CUSTOMERS / 20, "cancelled": CUSTOMERS / 40}
    for row in truth:
        own, bought = lines[row["receipt_id"], str(row["line"])], lines[row["of_receipt"], str(row["line"])]
        sign = -1 if row["kind"] == "return" else 1
        assert float(own["amount"]) == sign * float(bought["amount"]) and own["product_id"] == bought["product_id"]
        assert own["bought_at"] > bought["bought_at"] and bought["kind"] == "sale"


def test_customers_buy_at_the_rate_and_stay_away_as_often_as_bg_nbd_says(planted: Trade, placebo: Trade) -> None:
    """Who has bought once: P(x = 0) = E[alpha / (alpha + T)] for rates of shape 1, as nobody leaves before a repeat."""
    buyers = planted.truth("buyers")
    alpha, weeks = purchases.RATE_ALPHA, shop.WEEKS - purchases.FIRST_WEEKS
    once = alpha / purchases.FIRST_WEEKS * log((alpha + shop.WEEKS) / (alpha + weeks))
    dropped = [buyer["has_dropped_out"] for buyer in buyers]

    assert fmean(buyer["receipts"] == 1 for buyer in buyers) == pytest.approx(once, abs=0.02)
    assert fmean(buyer["dropout_probability"] for buyer in buyers) == pytest.approx(
        1 / (1 + purchases.DROPOUT_B), abs=0.01
    )
    assert 0.3 < fmean(dropped) < 0.7
    assert not any(buyer["has_dropped_out"] for buyer in placebo.truth("buyers"))
    # Without drop-out: as many repeats as the mean rate gives in the weeks that are left, less what the cap takes.
    mean_weeks = shop.WEEKS - purchases.FIRST_WEEKS / 2
    assert fmean(buyer["receipts"] - 1 for buyer in placebo.truth("buyers")) == pytest.approx(
        mean_weeks / alpha, rel=0.06
    )


def test_receipts_are_worth_what_gamma_gamma_says(planted: Trade, placebo: Trade) -> None:
    worth: dict[str, list[float]] = defaultdict(list)
    for lines in planted.receipts().values():
        worth[lines[0]["customer_id"]].append(sum(float(line["amount"]) for line in lines))
    rates = {buyer["customer_id"]: buyer["spend_rate"] for buyer in planted.truth("buyers")}
    mean = purchases.SPEND_P * purchases.SPEND_GAMMA / (purchases.SPEND_Q - 1)
    # A receipt's worth × the customer's own rate ~ Gamma(p, 1): mean p, variance p.
    scaled = [each * rates[customer] for customer, receipts in worth.items() for each in receipts]

    assert fmean(fmean(receipts) for receipts in worth.values()) == pytest.approx(mean, rel=0.06)
    assert fmean(scaled) == pytest.approx(purchases.SPEND_P, rel=0.02)
    assert pvariance(scaled) == pytest.approx(purchases.SPEND_P, rel=0.08)
    assert {buyer["spend_rate"] for buyer in placebo.truth("buyers")} == {purchases.SPEND_Q / purchases.SPEND_GAMMA}


def shares_of_days(receipts: Mapping[str, list[Row]]) -> Counter[tuple[int, int]]:
    """Receipts by month and weekday, of the second year: then all customers are there."""
    found: Counter[tuple[int, int]] = Counter()
    for lines in receipts.values():
        day = datetime.fromisoformat(lines[0]["bought_at"]).date()
        if day >= shop.FIRST_DAY + timedelta(weeks=52):
            found[day.month, day.weekday()] += 1
    return found


def test_days_are_as_busy_as_planted(planted: Trade, placebo: Trade) -> None:
    def share(days: Counter[tuple[int, int]], place: int, value: int) -> float:
        return sum(n for day, n in days.items() if day[place] == value) / sum(days.values())

    days, flat = shares_of_days(planted.receipts()), shares_of_days(placebo.receipts())
    saturdays = purchases.WEEKDAYS[5] / sum(purchases.WEEKDAYS)

    assert share(days, 1, 5) == pytest.approx(saturdays, abs=0.02)
    assert share(flat, 1, 5) == pytest.approx(1 / 7, abs=0.02)
    december, june = share(days, 0, 12) / 31, share(days, 0, 6) / 29
    # 1.5 · 33 / 31 / 0.95 = 1.68, and in between some customers have left.
    assert 1.5 < december / june < 2.2
    assert share(flat, 0, 12) / 31 / (share(flat, 0, 6) / 29) == pytest.approx(1, abs=0.2)


def sold_in_weeks(world: Trade) -> dict[tuple[str, str], float]:
    """Quantity by product and Monday."""
    sold: dict[tuple[str, str], float] = defaultdict(float)
    for lines in world.receipts().values():
        for line in lines:
            day = datetime.fromisoformat(line["bought_at"]).date()
            monday = day - timedelta(days=day.weekday())
            sold[line["product_id"], monday.isoformat()] += float(line["quantity"])
    return sold


def answer_to_prices(world: Trade, elasticities: Mapping[str, float]) -> float:
    """How quantities answer to log-price × elasticity: −1 where the elasticities are true, 0 where prices do nothing.

    Poisson regression with an effect per product, Newton's method; how much is spent in each week is held constant.
    """
    sold = sold_in_weeks(world)
    spent: dict[str, float] = defaultdict(float)
    prices = {(row["product_id"], row["week_starts_on"]): float(row["price"]) for row in world.rows("prices")}
    for (product, week), quantity in sold.items():
        spent[week] += quantity * prices[product, week]
    cells: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for row in world.rows("prices"):
        product, week = row["product_id"], row["week_starts_on"]
        if product in elasticities and row["advertised"] == "no":
            driver = elasticities[product] * log(prices[product, week])
            cells[product].append((driver, spent[week], sold.get((product, week), 0.0)))
    beta = 0.0
    for _ in range(30):
        gradient = curvature = 0.0
        for weeks in cells.values():
            level = fmean(driver for driver, _, _ in weeks)
            weights = [spend * exp(beta * (driver - level)) for driver, spend, _ in weeks]
            mean = sum(w * x for w, (x, _, _) in zip(weights, weeks, strict=True)) / sum(weights)
            spread = sum(w * (x - mean) ** 2 for w, (x, _, _) in zip(weights, weeks, strict=True)) / sum(weights)
            gradient += sum(quantity * (x - mean) for x, _, quantity in weeks)
            curvature += spread * sum(quantity for _, _, quantity in weeks)
        beta += gradient / curvature
    return beta


def test_quantities_follow_prices_by_the_planted_elasticities(planted: Trade, placebo: Trade) -> None:
    elasticities = {row["product_id"]: row["elasticity"] for row in planted.truth("products") if row["elasticity"]}

    assert len(elasticities) == 44
    assert answer_to_prices(planted, elasticities) == pytest.approx(-1, abs=0.15)
    assert answer_to_prices(placebo, elasticities) == pytest.approx(0, abs=0.15)


def pair_lifts(world: Trade) -> dict[tuple[str, str], tuple[float, int]]:
    """Lift of each pair of products over all receipts, and how often it occurs."""
    single: Counter[str] = Counter()
    both: Counter[tuple[str, str]] = Counter()
    receipts = world.receipts()
    for lines in receipts.values():
        products = sorted({line["product_id"] for line in lines})
        single.update(products)
        both.update(combinations(products, 2))
    return {
        pair: (both[pair] * len(receipts) / (single[pair[0]] * single[pair[1]]), both[pair])
        for pair in combinations(sorted(single), 2)
    }


def test_complements_are_bought_together_and_substitutes_are_not(planted: Trade, placebo: Trade) -> None:
    lifts, flat = pair_lifts(planted), pair_lifts(placebo)
    pairs = {(row["kind"], *sorted((row["first"], row["second"]))) for row in planted.truth("pairs")}
    complements = [lifts[one, two][0] for kind, one, two in pairs if kind == "complement"]
    substitutes = [(one, two) for kind, one, two in pairs if kind == "substitute"]

    assert len(complements) == len(substitutes) == 4
    assert min(complements) > 2.5
    # Products of one taste go together; substitutes of one taste stand far below other such pairs.
    assert max(lifts[pair][0] for pair in substitutes) < 1.2
    assert placebo.truth("pairs") == []
    assert all(0.4 < flat[one, two][0] < 1.6 for _, one, two in pairs)


def test_segments_buy_in_their_categories_and_tastes_what_they_like(planted: Trade, placebo: Trade) -> None:
    category = {row["product_id"]: row["category"] for row in planted.rows("products")}
    segment = {buyer["customer_id"]: buyer["segment"] for buyer in planted.truth("buyers")}

    def home_share(world: Trade) -> float:
        lines = [line for lines in world.receipts().values() for line in lines]
        return fmean(category[line["product_id"]] in shop.SEGMENTS[segment[line["customer_id"]]][1] for line in lines)

    assert home_share(planted) > 0.8
    assert home_share(placebo) == pytest.approx(0.25, abs=0.03)
    weights = {(row["segment"], row["taste"], row["product_id"]): row["weight"] for row in planted.truth("likings")}
    butter = next(row["product_id"] for row in planted.rows("products") if row["name"] == "масло")
    assert weights["family", 0, butter] == 2.0 * shop.HOME_FACTOR * shop.LIKED_FACTOR
    assert weights["home", 0, butter] == 2.0


def test_the_discount_of_the_randomised_mailing_works_where_it_is_planted(planted: Trade, placebo: Trade) -> None:
    def rates(world: Trade, mailing: str, days: range) -> dict[str, float]:
        bought = {row["mail_id"]: row["bought"] == "yes" for row in world.rows("mailings")}
        found: dict[str, list[bool]] = defaultdict(list)
        for row in world.truth("mailings"):
            if row["mailing"] == mailing and row["days_since_last"] in days:
                found[row["arm"]].append(bought[row["mail_id"]])
        return {arm: fmean(answers) for arm, answers in found.items()}

    first, second, third = mailings.SENT_ON
    lapsing = rates(planted, first, range(30, 120))
    others = rates(planted, first, range(120, 10_000))

    assert lapsing["discount"] - lapsing["control"] == pytest.approx(0.10, abs=0.07)
    assert lapsing["story"] - lapsing["control"] == pytest.approx(0, abs=0.07)
    assert others["discount"] - others["control"] == pytest.approx(0, abs=0.05)
    everybody = range(10_000)
    off = rates(placebo, first, everybody)
    assert off["discount"] - off["control"] == pytest.approx(0, abs=0.04)
    # Confounded: it seems to work, and does nothing.
    seeming = rates(planted, second, everybody)
    assert seeming["discount"] - seeming["control"] > 0.01
    assert {row["uplift"] for row in planted.truth("mailings") if row["mailing"] == second} == {0.0}
    # Chosen in the same way, and it works: among those of one recency arms differ by what it adds.
    lately = rates(planted, third, range(mailings.CHOSEN_DAYS))
    assert lately["discount"] - lately["control"] == pytest.approx(mailings.CHOSEN_UPLIFT, abs=0.05)
    assert all(row["spent"] == "0" or float(row["spent"]) > 1 for row in planted.rows("mailings"))


def test_revenue_is_base_and_carried_over_saturated_advertising_and_noise(planted: Trade, placebo: Trade) -> None:
    spends: dict[str, list[float]] = defaultdict(list)
    for row in planted.rows("media_weeks"):
        spends[row["channel"]].append(float(row["spend"]))
    brought = [0.0] * advertising.WEEKS
    for channel in advertising.CHANNELS:
        carried = 0.0
        for week, spend in enumerate(spends[channel.name]):
            carried = spend + channel.carry_over * carried
            half = channel.half**channel.shape
            brought[week] += channel.effect * carried**channel.shape / (carried**channel.shape + half)
    revenue = [float(row["revenue"]) for row in planted.rows("revenue_weeks")]
    base = {row["week_starts_on"]: row["base"] for row in planted.truth("revenue_weeks")}
    bases = [base[row["week_starts_on"]] for row in planted.rows("revenue_weeks")]
    noise = [r - b - e for r, b, e in zip(revenue, bases, brought, strict=True)]

    assert [len(weeks) for weeks in spends.values()] == [advertising.WEEKS] * 4
    assert pvariance(noise) ** 0.5 == pytest.approx(advertising.NOISE, rel=0.15)
    assert fmean(noise) == pytest.approx(0, abs=4 * advertising.NOISE / advertising.WEEKS**0.5)
    assert pvariance(brought) ** 0.5 > 2 * advertising.NOISE
    assert {row["effect"] for row in placebo.truth("media_weeks")} == {0.0}


def end_rates(world: Trade, cause: str) -> dict[str, float]:
    """Ends per day of life by the value of a column."""
    lives: dict[str, list[tuple[bool, int]]] = defaultdict(list)
    for row in world.rows("subscriptions"):
        last = date.fromisoformat(row["ended_on"]) if row["ended_on"] else date(2025, 7, 1)
        lives[row[cause]].append((bool(row["ended_on"]), (last - date.fromisoformat(row["started_on"])).days))
    return {value: sum(end for end, _ in of) / sum(days for _, days in of) for value, of in lives.items()}


def test_subscriptions_end_for_the_planted_causes(planted: Trade, placebo: Trade) -> None:
    plans, payments = end_rates(planted, "plan"), end_rates(planted, "payment")

    assert log(plans["monthly"] / plans["yearly"]) == pytest.approx(subscriptions.CAUSES["monthly_plan"][0], abs=0.3)
    assert log(payments["invoice"] / payments["card"]) == pytest.approx(subscriptions.CAUSES["invoice"][0], abs=0.25)
    flat = end_rates(placebo, "plan")
    assert log(flat["monthly"] / flat["yearly"]) == pytest.approx(0, abs=0.2)


def test_who_called_the_support_leaves_more_often_in_the_month_after(planted: Trade) -> None:
    started = {row["subscription_id"]: row for row in planted.rows("subscriptions")}
    months: dict[str, set[int]] = defaultdict(set)
    for call in planted.rows("support_calls"):
        begin = date.fromisoformat(started[call["subscription_id"]]["started_on"])
        called = datetime.fromisoformat(call["called_at"]).date()
        months[call["subscription_id"]].add((called - begin).days // 31)
    ended: dict[bool, list[bool]] = defaultdict(list)
    for name, row in started.items():
        begin = date.fromisoformat(row["started_on"])
        last = date.fromisoformat(row["ended_on"]) if row["ended_on"] else date(2025, 7, 1)
        for month in range(1, (last - begin).days // 31 + 1):
            is_end = bool(row["ended_on"]) and month == (last - begin).days // 31
            ended[month - 1 in months[name]].append(is_end)

    assert fmean(ended[True]) > 2 * fmean(ended[False])


def test_a_part_that_stands_is_left_as_it_is_and_nothing_is_overwritten(spark: SparkSession, planted: Trade) -> None:
    folder = str(planted.folder)

    again = trade.write_part(spark, "advertising", CUSTOMERS, SEED, folder)

    assert again == {source: planted.facts[source] for source in ("media_weeks", "revenue_weeks")}
    # An effect of another part changes nothing here.
    assert trade.write_part(spark, "advertising", CUSTOMERS, SEED, folder, ["season"]) == again
    with pytest.raises(RefusedError):
        trade.write_part(spark, "advertising", CUSTOMERS, SEED, folder, ["saturation"])


def test_the_sizes_of_effects_are_in_the_truth_and_absent_where_switched_off(planted: Trade, placebo: Trade) -> None:
    planted_ones = {
        part: {row["effect"] for row in planted.truth(f"effects/{part}")} for part, of in options.PARTS.items() if of
    }

    assert planted_ones == {part: {*of} for part, of in options.PARTS.items() if of}
    assert not any(placebo.truth(f"effects/{part}") for part in planted_ones)
    sizes = {row["quantity"]: row["value"] for row in planted.truth("effects/subscriptions")}
    hazards = {round(row["hazard"], 9) for row in planted.truth("subscriptions") if row["hazard"] is not None}
    # A yearly plan, paid by card, in its first month: no cause at work.
    assert round(1 / (1 + exp(-sizes["monthly log-odds"])), 9) in hazards
    assert {row["effect"] for row in placebo.truth("channels")} == {0.0}


def test_the_order_of_events_tells_who_takes_an_offer_and_their_number_does_not(planted: Trade, placebo: Trade) -> None:
    def rates(world: Trade) -> tuple[float, float]:
        """Of offers before which view, compare and question came in this order, and of all others."""
        taken = {row["customer_id"]: row["taken"] == "yes" for row in world.rows("app_offers")}
        offered = {row["customer_id"]: row["offered_at"] for row in world.rows("app_offers")}
        kinds: dict[str, list[str]] = defaultdict(list)
        for row in sorted(world.rows("app_events"), key=lambda row: row["happened_at"]):
            assert row["happened_at"] < offered[row["customer_id"]]
            kinds[row["customer_id"]].append(row["kind"])
        # Each of the three once, whoever it is: no count tells anything of the order.
        assert all(of_one.count(kind) == 1 for of_one in kinds.values() for kind in visits.IN_ORDER)
        is_in_order = {
            customer: [kind for kind in of_one if kind in visits.IN_ORDER] == list(visits.IN_ORDER)
            for customer, of_one in kinds.items()
        }
        truth = {row["customer_id"]: row["is_in_order"] for row in world.truth("app_offers")}
        assert is_in_order == truth
        yes, no = (
            [taken[customer] for customer, holds in truth.items() if holds is wanted] for wanted in (True, False)
        )
        return fmean(yes), fmean(no)

    with_order, without_order = rates(planted)
    assert log(with_order / (1 - with_order)) - log(without_order / (1 - without_order)) == pytest.approx(
        visits.ORDER_EFFECT, abs=0.25
    )
    with_order, without_order = rates(placebo)
    assert with_order == pytest.approx(without_order, abs=0.05)
