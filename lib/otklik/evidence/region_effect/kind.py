"""Settings of the kind `region_effect`, the rows it reads and the tables it writes. Imports no Spark."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import answer_table
from otklik.settings import Text
from otklik.task import KIND_MEANING, KindTask


class RegionEffectTask(KindTask):
    """A change in some regions from a day on, and regions without it."""

    kind: Literal["region_effect"] = Field(description=KIND_MEANING)
    design: Literal["did", "synthetic_control", "geo"] = Field(
        description="did: difference in differences, several regions with the change and several without; "
        "synthetic_control: one region, or a few combined, against the best-fitting mix of the others; geo: matched "
        "pairs of regions, one of each with the change"
    )
    treated: list[Annotated[str, Field(min_length=1)]] = Field(
        default_factory=list, description="regions with the change; default: those with is_treated"
    )
    start: date = Field(description="first day of the change; a period split by it is excluded")
    end: date | None = Field(None, description="first day after the change; default: the change is permanent")
    grain: Literal["day", "week", "month"] = Field("week", description="length of a period")
    pairs: dict[str, str] = Field(
        default_factory=dict,
        description="for geo: region with the change → its partner; default: the most similar pairs before the change",
    )
    better: Literal["up", "down"] = Field("up", description="whether a higher or a lower outcome is better")
    minimum_periods: int = Field(
        12, ge=6, description="minimum periods before the change; with fewer the verdict is too_little_data"
    )
    alpha: float = Field(0.05, gt=0, lt=0.5, description="1 − confidence of intervals; level of tests")
    trend_alpha: float = Field(
        0.05, gt=0, lt=0.5, description="below this p-value pre-trends differ, and the verdict is invalid"
    )

    def impossible(self) -> list[str]:
        """Refuse regions named twice, pairs of other regions, and an end before the start."""
        faults = {
            "treated names a region twice": len(set(self.treated)) < len(self.treated),
            "pairs is for design = 'geo'": bool(self.pairs) and self.design != "geo",
            "pairs must name every region of treated, each with a partner of its own that is not treated": bool(
                self.pairs
            )
            and (
                set(self.pairs) != set(self.treated)
                or len(set(self.pairs.values())) < len(self.pairs)
                or bool(set(self.pairs.values()) & set(self.treated))
            ),
            "end must be later than start": self.end is not None and self.end <= self.start,
        }
        return [fault for fault, holds in faults.items() if holds]


TABLES = (
    answer_table(
        "effects",
        "the effect, and the placebo: the same reckoning for a change that never was, before the real one",
        "estimate STRING effect | placebo | trend: slope of the regions apart before the change",
        "value DOUBLE share of what a period brought before; of trend: per period",
        "low DOUBLE lower bound of the interval of confidence 1 − alpha; null where there is none",
        "high DOUBLE upper bound",
        "p_value DOUBLE two-sided: none at all",
        key=("estimate", "run_id"),
    ),
    answer_table(
        "periods",
        "each period: regions with the change, what was expected of them, and the difference",
        "period DATE its first day",
        "is_after BOOLEAN whether the change was there",
        "actual DOUBLE mean of the regions with the change; before the change each is 1 on average",
        "expected DOUBLE by the regions without",
        "gap DOUBLE actual − expected",
        "low DOUBLE lower bound of its interval, each period by itself",
        "high DOUBLE upper bound",
        key=("period", "run_id"),
    ),
    answer_table(
        "regions",
        "what each region was used for",
        "region STRING the region",
        "role STRING treated | compared | unused",
        "weight DOUBLE in what was expected",
        "partner STRING of geo: the other one of the pair",
        "before DOUBLE mean of a period before the change, in the outcome's own unit",
        "after DOUBLE the same since",
        key=("region", "run_id"),
    ),
)

RESULTS = Frame(
    "results",
    Text(
        en="one row per region and moment with an outcome, or per region and period; outcomes are summed",
        ru="одна строка на регион и момент с результатом или на регион и период; результаты складываются",
    ),
    (
        FrameColumn(
            "region", "string", Text(en="the region: a town, a shop", ru="регион: город, магазин"),
            is_key=True, like=("region", "store", "city", "geo", "shop"),
        ),
        FrameColumn("moment", "timestamp", Text(en="when", ru="когда"), like=("date", "week", "bought_at", "moment")),
        FrameColumn(
            "outcome", "double", Text(en="the outcome: revenue, visits", ru="результат: выручка, визиты"),
            like=("revenue", "sales", "amount", "visits", "outcome"),
        ),
        FrameColumn(
            "is_treated", "boolean",
            Text(en="whether the region has the change, at any time; read where treated names no region",
                 ru="есть ли в регионе изменение в какой-либо период; нужно, если treated не называет регионов"),
            is_required=False, is_optional=True,
        ),
    ),
)  # fmt: skip

KIND = Kind(
    name="region_effect",
    title=Text(en="Effect by region", ru="Эффект по регионам"),
    summary=Text(
        en="What is the effect of a change in some regions, compared with the others?",
        ru="Что дало изменение в части регионов по сравнению с остальными?",
    ),
    task=RegionEffectTask,
    stages=(Stage("region_effect", "otklik.evidence.region_effect.method:run", (RESULTS,), TABLES),),
    section="otklik.evidence.region_effect.section:section",
    example="""\
# did: several regions with and without; synthetic_control: one region; geo: pairs of regions
design = "did"
treated = ["north"]
start = 2026-03-02
""",
)
