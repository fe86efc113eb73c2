"""Options of a world: its size, its parts, the effects that can be switched off. Imports no Spark."""

from __future__ import annotations

from collections.abc import Mapping

from otklik.errors import ConfigurationError, did_you_mean

FEWEST_CUSTOMERS, MOST_CUSTOMERS = 1_000, 1_000_000
#: A seed is a BIGINT.
_SEEDS = 2**63
#: The bank's customers, contacts and engagements, with its effects that can be switched off. The other parts: `PARTS`.
BANK = "bank"
BANK_EFFECTS = ("responses",)
#: Part → the effects in it that can be switched off.
PARTS: Mapping[str, tuple[str, ...]] = {
    "shop": (
        "season", "weekday", "dropout", "spend", "elasticity", "promotions", "rules", "negative_rules", "segments",
        "tastes",
    ),
    "mailings": ("uplift", "confounding", "chosen_uplift", "season", "weekday", "dropout"),
    "advertising": ("advertising", "saturation", "carry_over"),
    "subscriptions": ("churn_causes",),
    "social": ("homophily", "influence", "rising_topics", "bots", "duplicates", "misspelt_names", "crisis"),
    "stock": ("stock_outs",),
    "regions": ("geo_lift",),
    "sends": ("send_hour",),
    "cards": ("shared_cards",),
    "leads": ("drift",),
    "signals": ("leading_signal", "following_signal"),
    "journeys": ("exposures", "retargeting"),
    "consents": (),
    "support": ("support_topics",),
    "posts": ("post_formats",),
    "offers": ("offer_effect",),
    "visits": ("order_matters",),
    "geo_advertising": ("geo_advertising", "saturation", "carry_over"),
}  # fmt: skip
EFFECTS = tuple(dict.fromkeys(effect for effects in (BANK_EFFECTS, *PARTS.values()) for effect in effects))


def check_size(customers: int, seed: int) -> None:
    """Check the size and seed of a world.

    Raises:
        ConfigurationError: if there are too few or too many customers, or the seed has more than 64 bits.
    """
    if not FEWEST_CUSTOMERS <= customers <= MOST_CUSTOMERS:
        raise ConfigurationError(
            f"must be from {FEWEST_CUSTOMERS:,} to {MOST_CUSTOMERS:,}, not {customers:,}",
            where="--customers",
            hint="use a number in this range",
        )
    if not -_SEEDS <= seed < _SEEDS:
        raise ConfigurationError("the seed has more than 64 bits", where="--seed", hint="use a smaller number")


def named_parts(chosen: str) -> list[str]:
    """The parts named by `--only`, in order.

    Raises:
        ConfigurationError: if there is no such part.
    """
    known = [BANK, *PARTS]
    if chosen == "all":
        return known
    named = [part.strip() for part in chosen.split(",")]
    unknown = sorted({part for part in named if part not in known})
    if unknown:
        raise ConfigurationError(
            f"no part named {', '.join(unknown)}", where="--only", hint=f"known: {', '.join(known)}"
        )
    return [part for part in known if part in named]


def named_effects(without: str) -> list[str]:
    """The effects named by `--without`.

    Raises:
        ConfigurationError: if one does not exist.
    """
    named = [effect.strip() for effect in without.split(",") if effect.strip()]
    unknown = sorted({*named} - {*EFFECTS})
    if unknown:
        meant = did_you_mean(unknown[0], EFFECTS)
        raise ConfigurationError(
            f"no effect named {', '.join(unknown)}{meant and '; '}{meant}",
            where="--without",
            hint="docs/world.md lists them",
        )
    return named
