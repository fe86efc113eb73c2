"""The kind `segment`: its settings, frames and tables."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from otklik.kind import Frame, FrameColumn, Kind, Stage
from otklik.lake.tables import Column, answer_table
from otklik.settings import Strict, Text
from otklik.task import KIND_MEANING, KindTask, Name

Levels = Annotated[list[Annotated[int, Field(ge=1, le=9)]], Field(min_length=2, max_length=2)]

#: The segment of customers outside all named segments.
OTHER = "other"


class NamedSegment(Strict):
    """A named part of the RFM grid: the customers whose three scores are in these ranges, inclusive."""

    title: Text = Field(description="title on the page")
    recency: Levels = Field([1, 9], description="lowest and highest recency score; the highest is the most recent")
    frequency: Levels = Field([1, 9], description="lowest and highest frequency score")
    monetary: Levels = Field([1, 9], description="lowest and highest monetary score")

    def impossible(self) -> list[str]:
        """Refuse reversed ranges."""
        ranges = {"recency": self.recency, "frequency": self.frequency, "monetary": self.monetary}
        return [f"{name}: the lowest score stands first" for name, (low, high) in ranges.items() if low > high]


def _named(en: str, ru: str, recency: tuple[int, int], frequency: tuple[int, int]) -> NamedSegment:
    return NamedSegment(title=Text(en=en, ru=ru), recency=[*recency], frequency=[*frequency])


#: The customary names for five scores of recency and frequency; together they cover every customer.
CUSTOMARY = {
    "champions": _named("Champions", "Лучшие", (5, 5), (4, 5)),
    "loyal": _named("Loyal", "Постоянные", (3, 4), (4, 5)),
    "potential_loyal": _named("Potentially loyal", "Могут стать постоянными", (4, 5), (2, 3)),
    "new": _named("New", "Новые", (5, 5), (1, 1)),
    "promising": _named("Promising", "Перспективные", (4, 4), (1, 1)),
    "need_attention": _named("Need attention", "Требуют внимания", (3, 3), (3, 3)),
    "about_to_sleep": _named("About to sleep", "Засыпающие", (3, 3), (1, 2)),
    "cannot_lose": _named("Cannot lose them", "Нельзя потерять", (1, 2), (5, 5)),
    "at_risk": _named("At risk", "В зоне риска", (1, 2), (3, 4)),
    "hibernating": _named("Hibernating", "Спящие", (1, 2), (1, 2)),
}


class Rfm(Strict):
    """How recency, frequency and monetary value become scores, and scores become named segments."""

    scores: Literal["quantile_cuts", "rank_fifths"] = Field(
        "quantile_cuts",
        description="quantile_cuts: equal values get equal scores, so levels may differ in size; rank_fifths: levels "
        "of equal size, equal values are ranked by customer",
    )
    levels: int = Field(5, ge=2, le=9, description="number of score levels")
    compare_days_before: int | None = Field(
        None,
        ge=1,
        le=3650,
        description="also segment as of this many days earlier, with the data known then: gives the transitions "
        "between the two moments, and the value of the period between them",
    )
    segments: dict[Name, NamedSegment] = Field(
        default_factory=lambda: dict(CUSTOMARY),
        min_length=1,
        max_length=50,
        description="named segments; the first match applies, else `other`",
    )

    def impossible(self) -> list[str]:
        """Refuse names for scores that do not exist, and a reserved name."""
        faults = [] if OTHER not in self.segments else [f"segments.{OTHER}: is the name of what no segment takes"]
        if self.levels != 5 and self.segments == CUSTOMARY:
            faults.append("levels: the default segments need five levels; define your own in rfm.segments")
        return faults


class Clusters(Strict):
    """How customers are clustered."""

    method: Literal["kmeans", "bisecting_kmeans", "gaussian_mixture"] = Field(
        "kmeans", description="clustering algorithm of MLlib"
    )
    features: list[Name] = Field(
        default_factory=list,
        description="columns to cluster by; default: all. Other columns only describe the segments",
    )
    log1p: list[Name] = Field(
        default_factory=list, description="features transformed to sign(x) * ln(1 + |x|) before standardisation"
    )
    labels: dict[Name, Text] = Field(default_factory=dict, description="title of each column on the page")
    value_is: Text = Field(
        Text(en="as in the task's frame", ru="как в таблице задачи"),
        description="what the frame's column value is, as shown on the page",
    )
    k: list[Annotated[int, Field(ge=2, le=30)]] = Field(
        [2, 3, 4, 5, 6, 7, 8],
        min_length=1,
        max_length=29,
        description="candidate numbers of segments; one number = fixed. The stable one with the highest silhouette is "
        "chosen",
    )
    starts: int = Field(10, ge=1, le=50, description="number of random starts; the best fit is kept")
    partitions: int = Field(2, ge=1, le=10_000, description="partitions during the fit; affects its last digits")

    def impossible(self) -> list[str]:
        """Refuse duplicate numbers of segments, and logarithms of columns that are not features."""
        faults = [] if len(set(self.k)) == len(self.k) else ["k: a number stands twice"]
        unknown = sorted(set(self.log1p) - set(self.features)) if self.features else []
        return faults + [f"log1p: {name!r} is not among features" for name in unknown]


class EvaluationSettings(Strict):
    """Conditions of the verdict."""

    minimum_customers: int = Field(
        100, ge=20, description="minimum customers; with fewer the verdict is too_little_data"
    )
    sample: int = Field(
        3000,
        ge=200,
        le=10_000,
        description="number of customers, sampled by a hash, for stability, silhouette and the choice of k",
    )
    resamples: int = Field(20, ge=5, le=200, description="bootstrap resamples of customers, for stability")
    minimum_stability: float = Field(
        0.8, gt=0, lt=1, description="minimum mean adjusted Rand index against the segments of resamples"
    )
    maximum_p: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="significance level of the permutation test against random segments of the same sizes",
    )


class SegmentTask(KindTask):
    """Settings of a segment task: the frame purchases is scored by rfm, or the frame customers is clustered."""

    kind: Literal["segment"] = Field(description=KIND_MEANING)
    rfm: Rfm = Field(Rfm(), description="for the frame purchases")
    clusters: Clusters = Field(Clusters(), description="for the frame customers")
    evaluation: EvaluationSettings = EvaluationSettings()
    currency: Text = Field(Text(en="", ru=""), description="currency of amounts and values")

    def impossible(self) -> list[str]:
        """Refuse neither or both of the frames that can be segmented."""
        is_one = ("purchases" in self.frames) != ("customers" in self.frames)
        return [] if is_one else ["frames: give purchases (scored by rfm) or customers (clustered), one of the two"]

    @property
    def method(self) -> str:
        """rfm, or the method of clustering."""
        return "rfm" if "purchases" in self.frames else self.clusters.method


_CUSTOMER = FrameColumn(
    "customer", "string", Text(en="customer", ru="клиент"), is_key=True, like=("customer", "client", "user", "id")
)
_PURCHASES = Frame(
    "purchases",
    Text(en="one row per purchase or line of one", ru="строка на покупку или её позицию"),
    (
        _CUSTOMER,
        FrameColumn(
            "moment", "timestamp", Text(en="when it was bought", ru="когда куплено"), like=("date", "time", "moment")
        ),
        FrameColumn(
            "amount",
            "double",
            Text(en="amount paid, to a millionth", ru="уплаченная сумма, с точностью до миллионной"),
            like=("amount", "revenue", "total", "price", "sum"),
        ),
        FrameColumn(
            "order",
            "string",
            Text(en="order or invoice; without it each row counts as one", ru="заказ; без него каждая строка — заказ"),
            is_required=False,
            is_optional=True,
            like=("order", "invoice", "basket"),
        ),
    ),
    is_optional=True,
)
_VALUE = FrameColumn(
    "value",
    "double",
    Text(
        en="what the customer brought in the period after the features; only the verdict reads it",
        ru="что клиент принёс в период после признаков; нужно только для вывода",
    ),
    is_required=False,
    is_optional=True,
    like=("value", "revenue", "response"),
)


def _customers(name: str, en: str, ru: str, *more: FrameColumn) -> Frame:
    return Frame(name, Text(en=en, ru=ru), (_CUSTOMER, *more), others="numbers", is_optional=True)


_CUSTOMERS = _customers("customers", "one row per customer with its features", "строка на клиента с признаками", _VALUE)
_BEFORE = _customers(
    "customers_before",
    "the same features at an earlier moment, for the transitions",
    "те же признаки на более раннюю дату, для переходов",
)
_NEW = _customers(
    "new_customers",
    "customers who are assigned to the segments but not used to build them",
    "клиенты, которых относят к сегментам, но по которым сегменты не строят",
)

_TABLES = (
    answer_table(
        "segments",
        "one row per segment, largest first",
        "segment STRING its name, or its number where customers were clustered",
        "customers BIGINT how many customers it has",
        "share DOUBLE of all customers",
        "value_customers BIGINT customers of it whose next-period value is known",
        "value_mean DOUBLE their mean value in the next period; of segments at the earlier moment",
        "value_share DOUBLE share of all next-period value that they bring",
        key=("segment",),
    ),
    answer_table(
        "assignments",
        "one row per customer: the segment",
        "customer STRING the customer",
        "segment STRING segment now",
        "segment_before STRING segment at the earlier moment; null where there is none",
        "is_new BOOLEAN assigned to segments that were found without this customer",
        key=("customer",),
    ),
    answer_table(
        "scores",
        "one row per customer: recency, frequency and monetary value with their scores; empty for other methods",
        "customer STRING the customer",
        "recency BIGINT calendar days from the last purchase to the moment",
        "frequency BIGINT distinct orders",
        "monetary DOUBLE sum of amounts",
        "recency_score INT the greater, the more recent",
        "frequency_score INT the greater, the more orders",
        "monetary_score INT the greater, the more money",
        key=("customer",),
    ),
    answer_table(
        "profiles",
        "what sets each segment apart: one row per segment and property",
        "segment STRING the segment",
        "property STRING a feature, or another number of the customers",
        "is_feature BOOLEAN whether the segments were made by it",
        "mean DOUBLE mean in the segment",
        "overall_mean DOUBLE mean of all customers",
        Column(
            "difference",
            "DOUBLE",
            "of the two means (of logarithms where the task takes them), in standard deviations of all customers",
        ),
        key=("segment", "property"),
    ),
    answer_table(
        "transitions",
        "how many customers went from which segment to which",
        "segment_before STRING segment at the earlier moment; empty = was not there",
        "segment STRING segment now; empty = no longer exists",
        "customers BIGINT how many",
        key=("segment_before", "segment"),
    ),
    answer_table(
        "model",
        "the numbers behind the segments: cuts of scores, or scales and centres of clusters",
        "part STRING cut, rank_cut, mean, deviation or centre",
        "segment STRING the segment; empty for what all share",
        "property STRING the feature",
        "place INT which cut, from 1; else 0",
        Column(
            "value",
            "DOUBLE",
            "the number; centres and means on the scale of the features after log1p, centres "
            "in deviations from the mean",
        ),
        key=("part", "segment", "property", "place"),
    ),
)

KIND = Kind(
    name="segment",
    title=Text(en="Customer segments", ru="Сегменты клиентов"),
    summary=Text(
        en="Which segments do customers fall into, and are the segments stable and useful?",
        ru="На какие группы делятся клиенты, устойчивы ли эти группы и есть ли от них польза?",
    ),
    task=SegmentTask,
    stages=(
        Stage(
            "segment",
            "otklik.insights.segment.method:run",
            (_PURCHASES, _CUSTOMERS, _BEFORE, _NEW),
            _TABLES,
        ),
    ),
    section="otklik.insights.segment.section:section",
    example="""\
# For the frame purchases: scores of recency, frequency and monetary value.
[rfm]
# quantile_cuts: equal values, equal scores. rank_fifths: levels of equal size.
scores = "quantile_cuts"
# What the segments of 90 days ago have brought since, and who has moved.
compare_days_before = 90

# For the frame customers, instead of purchases: clusters.
[clusters]
# kmeans, bisecting_kmeans or gaussian_mixture
method = "kmeans"
# The numbers of segments to choose from.
k = [2, 3, 4, 5, 6, 7, 8]
""",
)
