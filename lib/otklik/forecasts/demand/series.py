"""One series at a time, in a Python worker: its history → forecasts by each method for its last and next periods.

Each series returns a few rows of the same schema, distinguished by `row`:

- status: whether it can be forecast; `actual` has all its values;
- tried: forecasts of one method at one origin, `back` × `ahead` periods before the end: 0 for the next periods, 1 for
  the hold-out, more for earlier ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from otklik.forecasts.demand.choice import kind_of, scale_of
from otklik.forecasts.demand.models import Floats, forecasts
from otklik.forecasts.demand.names import POOLED
from otklik.forecasts.demand.pooled import pooled, products_of

#: The schema of the rows.
ROWS = (
    "series string, row string, status string, kind string, periods int, total double, model string, back int, "
    "forecast array<double>, actual array<double>, scale double, squared_scale double, error double, "
    "squared_error double"
)
_COLUMNS = [part.split()[0] for part in ROWS.split(", ")]
_EMPTY = dict.fromkeys(_COLUMNS)


@dataclass(frozen=True)
class History:
    """How rows become series, and how they are forecast.

    Attributes:
        models: names of methods.
        ahead: number of periods to forecast, and to hold out.
        season: periods of a season.
        origins: number of earlier origins.
        minimum: periods that a series needs before the hold-out.
        last: index of the last complete period.
        fill: values of periods without rows: zero | interpolate.
        from_start: whether series begin in the first period of all series, not with their first row.
        holidays: number of holidays per period, from the first period to the last one ahead.
    """

    models: Sequence[str]
    ahead: int
    season: int
    origins: int
    minimum: int
    last: int
    fill: str
    from_start: bool
    holidays: Sequence[int]

    def values(self, rows: pd.DataFrame) -> tuple[Floats, Floats]:
        """Quantities of all periods of one series; and what is known in advance of past and future periods.

        A price is valid until the next one; a period without a row has no promotion.
        """
        sold = rows[rows["quantity"].notna()]
        begin = 0 if self.from_start else int(sold["place"].min())
        places = range(begin, self.last + self.ahead + 1)
        planned = rows.set_index("place")[["price", "promotion"]].astype(float).reindex(places)
        price = np.log(planned["price"].where(planned["price"] > 0).ffill().bfill().fillna(1.0))
        holidays = np.array(self.holidays[begin:], float)
        known = np.stack([holidays, price, planned["promotion"].fillna(0.0)], axis=1)
        return filled(sold, begin, self.last, self.fill), known


def products_of_each(history: History) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The function from the rows of some series to one row with their cross products for the pooled model."""

    def of_some(rows: pd.DataFrame) -> pd.DataFrame:
        series = [history.values(own) for _, own in rows.groupby("series", sort=True)]
        long_enough = [one for one in series if len(one[0]) - history.ahead >= history.minimum]
        found = products_of(long_enough, history.ahead, history.season, history.origins + 2)
        return pd.DataFrame({"bucket": rows["bucket"].iloc[:1], "products": [found.ravel()]})

    return of_some


def for_each_series(history: History, coefficients: Floats | None) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The function from the rows of one series to rows of the schema.

    Args:
        history: see `History`.
        coefficients: of the pooled model by origin; None where no method needs it.
    """

    def of_series(rows: pd.DataFrame) -> pd.DataFrame:
        name, (values, known) = str(rows["series"].iloc[0]), history.values(rows)
        found = _rows_of(values, known, history, coefficients)
        # As objects: a column without values would have type float, which Arrow does not convert to boolean.
        return pd.DataFrame([{**_EMPTY, "series": name, **one} for one in found], columns=_COLUMNS, dtype=object)

    return of_series


def filled(rows: pd.DataFrame, begin: int, last: int, fill: str) -> Floats:
    """Quantities of all periods from one place to another; gaps at either end are filled with the nearest value."""
    places, quantities = rows["place"].to_numpy(int), rows["quantity"].to_numpy(float)
    values = np.full(last - begin + 1, np.nan)
    values[places - begin] = quantities
    empty = np.isnan(values)
    if fill == "zero":
        values[empty] = 0.0
    elif empty.any():
        there = np.flatnonzero(~empty)
        values[empty] = np.interp(np.flatnonzero(empty), there, values[there])
    return values


def _rows_of(
    values: Floats, known: Floats, history: History, coefficients: Floats | None
) -> Iterator[dict[str, object]]:
    ahead, train = history.ahead, values[: -history.ahead]
    status = {"row": "status", "periods": len(values), "total": float(values.sum())}
    if len(train) < history.minimum:
        yield {**status, "status": "too_short"}
        return
    if not train.any():
        yield {**status, "status": "nothing_sold"}
        return
    scale = scale_of(train)
    if scale == 0:
        yield {**status, "status": "constant"}
        return
    yield {**status, "status": "forecast", "kind": kind_of(train), "actual": values.tolist()}
    # A series without negative quantities gets no negative forecast.
    floor = 0.0 if values.min() >= 0 else -np.inf
    for back in range(history.origins + 2):
        seen = values[: len(values) - back * ahead]
        if back > 1 and len(seen) < max(len(train) / 2, 3):
            return
        scale = scale_of(seen)
        if scale == 0:
            continue
        actual = values[len(seen) : len(seen) + ahead]
        squared = float((np.diff(seen) ** 2).mean())
        for model, forecast in _forecasts(
            seen, known, history, None if coefficients is None else coefficients[back]
        ).items():
            said = np.maximum(forecast, floor)
            row = {
                "row": "tried", "model": model, "back": back, "forecast": said.tolist(), "scale": scale,
                "squared_scale": squared,
            }  # fmt: skip
            if back:
                error = actual - said
                row |= {
                    "actual": actual.tolist(),
                    "error": float(np.abs(error).mean()) / scale,
                    "squared_error": float(np.sqrt((error**2).mean() / squared)),
                }
            yield row


def _forecasts(seen: Floats, known: Floats, history: History, coefficients: Floats | None) -> dict[str, Floats]:
    ahead, season = history.ahead, history.season
    found = {name: method(seen, ahead, season) for name, method in forecasts(history.models).items()}
    if coefficients is not None:
        of_all = pooled(seen, known, ahead, season, coefficients)
        with_theta = (of_all + forecasts(["theta"])["theta"](seen, ahead, season)) / 2
        both = dict(zip(POOLED, (of_all, with_theta), strict=True))
        found |= {name: both[name] for name in POOLED if name in history.models}
    return found
