"""What is planted among people on networks, in stock, regions, sends, cards and leads: by computation from truth."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from functools import cache
from math import exp
from statistics import fmean

import pytest
from pyspark.sql import Row, SparkSession

from otklik.world import social, trials
from otklik.world.draws import Draws
from otklik.world.options import EFFECTS

#: How many customers the quick tests and the long ones have.
FEW, MANY = 300, 6_000
Rows = Callable[[str, int, bool], list[Row]]


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> Rows:
    """The rows of a frame, for so many customers, with all effects or with none."""

    @cache
    def made(name: str, count: int, is_planted: bool) -> list[Row]:
        draws, without = Draws(7), () if is_planted else EFFECTS
        numbers = spark.range(0, count, 1, 2).withColumnRenamed("id", "number")
        everybody = social.with_social(numbers, count, draws, without)
        frames = {
            "people": lambda: everybody.select("number", "community", "networks", "own_day", "passed_day", "passed_by",
                                               "liked_day", "followed", "language", "name"),
            "accounts": lambda: social.accounts(everybody, draws, without),
            "ties": lambda: social.ties(everybody, draws),
            "reactions": lambda: social.reactions(everybody, draws, without),
            "mentions": lambda: social.mentions(everybody, draws, without),
            "stock": lambda: trials.stock_days(spark, draws, without),
            "regions": lambda: trials.region_weeks(spark, draws, without),
            "sends": lambda: trials.sends(numbers, draws, without),
            "cards": lambda: trials.card_uses(numbers, draws, without),
            "leads": lambda: trials.leads(numbers, draws, without),
        }  # fmt: skip
        return frames[name]().collect()

    return made


def homophily(people: list[Row]) -> float:
    """Share of the ties that stay within a community."""
    community = {row.number: row.community for row in people}
    return fmean(community[row.number] == community[each.number] for row in people for each in row.followed)


def test_ties_stay_within_communities_as_often_as_planted(rows: Rows) -> None:
    by_chance = 1 / social.COMMUNITIES

    assert homophily(rows("people", FEW, True)) == pytest.approx(
        social.HOMOPHILY + (1 - social.HOMOPHILY) * by_chance, abs=0.06
    )
    assert homophily(rows("people", FEW, False)) == pytest.approx(by_chance, abs=0.06)
    # Nobody's community follows from the number itself.
    communities = [row.community for row in sorted(rows("people", FEW, True), key=lambda row: row.number)]
    assert all(len(set(communities[rest::step])) == social.COMMUNITIES for step in range(2, 9) for rest in range(step))


def test_everybody_has_one_to_four_accounts_and_their_names_slip_as_planted(rows: Rows) -> None:
    accounts = rows("accounts", FEW, True)
    of_person = Counter(row.number for row in accounts if row.kind == "person")
    names = {row.number: row.name for row in rows("people", FEW, True)}
    spelt = [row for row in accounts if row.spelling == "misspelt"]

    assert set(of_person) == set(range(FEW))
    for count, percent in social.ACCOUNT_COUNTS.items():
        assert fmean(n == int(count) for n in of_person.values()) == pytest.approx(percent / 100, abs=0.09)
    assert len({row.account_id for row in accounts}) == len(accounts)
    assert all(row.display_name != names[row.number] for row in spelt) and spelt
    assert all(row.display_name.isascii() for row in accounts if row.spelling == "transliterated")
    assert all(row.display_name is None for row in accounts if row.spelling == "missing")
    assert Counter(row.kind for row in accounts)["bot"] == sum(
        n % social.BOT_EVERY == social.BOT_REMAINDER for n in range(FEW)
    )
    assert {(row.kind, row.spelling) for row in rows("accounts", FEW, False)} == {("person", "as_it_is")}


@pytest.mark.long
def test_the_crisis_is_said_of_in_three_languages_and_is_not_there_without(rows: Rows) -> None:
    said, calm = rows("mentions", FEW, True), rows("mentions", FEW, False)
    crisis = [row for row in said if row.is_crisis]
    days = {(row.us - min(row.us for row in crisis)) // 86_400_000_000 for row in crisis}

    assert len(crisis) / FEW == pytest.approx(social.CRISIS_SHARE, abs=0.05)
    assert max(days) < social.CRISIS_DAYS
    assert {row.tone for row in crisis} == {-1}
    assert {row.language for row in said} == {"ru", "kk", "en"}
    assert not any(row.is_crisis for row in calm) and calm


@pytest.mark.long
def test_cards_leads_and_regions_hold_what_is_planted(rows: Rows) -> None:
    shared = {row.card_id: row.is_shared for row in rows("cards", FEW, True)}
    lifts = {(row.arm, row.week >= trials.TREATED_FROM): row.lift for row in rows("regions", FEW, True)}

    assert fmean(shared.values()) == pytest.approx(trials.SHARED_SHARE, abs=0.06)
    assert not any(row.is_shared for row in rows("cards", FEW, False))
    assert lifts == {
        ("treated", True): trials.GEO_LIFT, ("treated", False): 1.0, ("control", True): 1.0, ("control", False): 1.0,
    }  # fmt: skip
    arms = {row.region: row.arm for row in rows("regions", FEW, True)}
    assert Counter(arms.values()) == {"treated": trials.TREATED, "control": trials.REGIONS - trials.TREATED}
    assert {row.lift for row in rows("regions", FEW, False)} == {1.0}


@pytest.mark.long
def test_followers_take_up_what_is_passed_on_and_communities_what_they_like(rows: Rows) -> None:
    people = {row.number: row for row in rows("people", MANY, True)}
    likes: dict[bool, list[bool]] = defaultdict(list)
    passed: dict[int, list[bool]] = defaultdict(list)
    for row in people.values():
        likes[row.community < social.LIKED_BY].append(row.liked_day is not None)
        if row.own_day is None:
            sources = sum(people[each.number].own_day is not None for each in row.followed)
            passed[sources].append(row.passed_day is not None)

    assert fmean(row.own_day is not None for row in people.values()) == pytest.approx(social.OWN_SHARE, abs=0.012)
    assert not any(passed[0])
    assert fmean(passed[1]) == pytest.approx(social.PASSED_ON, abs=0.04)
    assert fmean(passed[2]) == pytest.approx(1 - (1 - social.PASSED_ON) ** 2, abs=0.12)
    assert fmean(likes[True]) == pytest.approx(social.LIKED_SHARE, abs=0.04)
    assert fmean(likes[False]) == pytest.approx(social.OTHER_SHARE, abs=0.01)
    for row in people.values():
        assert row.passed_by is None or row.passed_day > people[row.passed_by].own_day + 1
    assert all(row.passed_day is None for row in rows("people", MANY, False))


@pytest.mark.long
def test_one_topic_rises_and_bots_react_in_bursts(rows: Rows) -> None:
    def share(reactions: list[Row], weeks: range) -> float:
        first = min(row.us for row in reactions)
        among = [row.topic for row in reactions if row.i < 900 and (row.us - first) // 604_800_000_000 in weeks]
        return among.count(social.RISING_TOPIC) / len(among)

    made, flat = rows("reactions", MANY, True), rows("reactions", MANY, False)
    before, last = social.RISING_SHARES

    assert share(made, range(12)) == pytest.approx(before, abs=0.005)
    assert share(made, range(24, 26)) == pytest.approx(last, abs=0.04)
    assert share(flat, range(24, 26)) == pytest.approx(before, abs=0.01)
    bursts: dict[str, list[int]] = defaultdict(list)
    for row in made:
        if row.i > 1000:
            bursts[row.account_id].append(row.us)
    assert len(bursts) == sum(n % social.BOT_EVERY == social.BOT_REMAINDER for n in range(MANY))
    assert all(max(times) - min(times) <= social.BURST_HOURS * 3_600_000_000 for times in bursts.values())
    fewest, most = social.BOT_REACTIONS
    assert {len(times) for times in bursts.values()} <= set(range(fewest, most + 1))
    of_people = Counter(row.account_id for row in made if row.i <= social.MOST_REACTIONS)
    assert sum(count >= fewest for count in of_people.values()) > len(bursts) / 3


def open_rates(sends: list[Row]) -> Mapping[int, float]:
    """Share of the messages that were opened, by whole hours from the favourite one."""
    found: dict[int, list[bool]] = defaultdict(list)
    for row in sends:
        found[abs(row.hour - row.favourite_hour)].append(row.is_opened)
    return {distance: fmean(opened) for distance, opened in found.items()}


@pytest.mark.long
def test_messages_are_opened_at_the_favourite_hour(rows: Rows) -> None:
    rates, flat = open_rates(rows("sends", MANY, True)), open_rates(rows("sends", MANY, False))

    near = trials.OPEN_BASE + trials.OPEN_MORE * exp(-(0.25**2))
    assert rates[0] == pytest.approx(near, abs=0.03)
    assert rates[6] == pytest.approx(trials.OPEN_BASE, abs=0.02)
    assert flat[0] == pytest.approx(flat[6], abs=0.04)
    assert all(row.opened_us is None or row.opened_us > row.us for row in rows("sends", MANY, True))


@pytest.mark.long
def test_leads_change_in_the_middle_of_the_half_year(rows: Rows) -> None:
    def halves(leads: list[Row]) -> list[list[Row]]:
        middle = min(row.us for row in leads) + trials.CHANGES_ON * 86_400_000_000
        return [[row for row in leads if (row.us >= middle) == later] for later in (False, True)]

    def gap(leads: list[Row]) -> float:
        rich, poor = ([row.is_won for row in leads if (row.income > 0) == is_rich] for is_rich in (True, False))
        return fmean(rich) - fmean(poor)

    before, after = halves(rows("leads", MANY, True))
    for half, web in zip((before, after), trials.WEB_SHARES, strict=True):
        assert fmean(row.came_by == "web" for row in half) == pytest.approx(web, abs=0.03)
    assert gap(before) > 0.2 and gap(after) < -0.1
    same = halves(rows("leads", MANY, False))
    assert gap(same[0]) == pytest.approx(gap(same[1]), abs=0.06)


@pytest.mark.long
def test_shelves_run_empty_where_planted(rows: Rows) -> None:
    made, full = rows("stock", MANY, True), rows("stock", MANY, False)

    assert all(row.sold == min(row.opening, row.wanted) for row in made)
    assert 0.02 < fmean(row.sold < row.wanted for row in made) < 0.2
    assert not any(row.sold < row.wanted for row in full)
    means = dict(zip(trials.COUNTED, trials.WANTED, strict=True))
    assert fmean(row.wanted for row in made) == pytest.approx(fmean(means.values()), rel=0.02)


@pytest.mark.long
def test_treated_regions_earn_more_by_the_lift(rows: Rows) -> None:
    def difference_in_differences(weeks: list[Row]) -> float:
        earned: dict[tuple[str, bool], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for row in weeks:
            earned[row.arm, row.week >= trials.TREATED_FROM][row.region].append(row.revenue)
        change = {
            arm: fmean(fmean(earned[arm, True][region]) / fmean(earned[arm, False][region])
                       for region in earned[arm, True])
            for arm in ("treated", "control")
        }  # fmt: skip
        return change["treated"] / change["control"]

    assert difference_in_differences(rows("regions", MANY, True)) == pytest.approx(trials.GEO_LIFT, abs=0.04)
    assert difference_in_differences(rows("regions", MANY, False)) == pytest.approx(1, abs=0.04)
