"""One series at a time, in a worker: its history → what was forecast for its last periods, and what is for the next.

Each series gives a few rows of one wide form, told apart by `row`:

- status: whether it can be forecast, by which method, and how large its errors are measured in;
- model: what each method's errors were in the hold-out;
- earlier: the chosen method's errors at earlier origins, by periods ahead, over the scale; of part holdout or next;
- holdout, next: the forecast of each period.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from otklik.forecasts.demand.choice import Choice, choose, default_for, kind_of, scale_of
from otklik.forecasts.demand.models import Floats, Forecast, forecasts

#: The form of the rows.
ROWS = (
    "series string, row string, part string, model string, status string, kind string, is_default boolean, step int, "
    "place int, quantity double, actual double, naive double, scale double, squared_scale double, error double, "
    "squared_error double, periods int, total double"
)
_COLUMNS = [part.split()[0] for part in ROWS.split(", ")]
_EMPTY = dict.fromkeys(_COLUMNS)


def for_each_series(
    models: Sequence[str], ahead: int, season: int, origins: int, minimum: int, last: int, fill: str, from_start: bool
) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The function that turns the rows of one series into rows of the form.

    Args:
        models: names of methods.
        ahead: periods to forecast, and periods held out.
        season: periods of a season.
        origins: how many earlier origins are tried.
        minimum: periods that a series needs before the hold-out.
        last: place of the last whole period.
        fill: what a period without a row has: zero | interpolate.
        from_start: whether a series begins in the first period of all and not with its first row.
    """

    def of_series(rows: pd.DataFrame) -> pd.DataFrame:
        name = str(rows["series"].iloc[0])
        methods = forecasts(models)
        begin = 0 if from_start else int(rows["place"].min())
        values = filled(rows, begin, last, fill)
        found = _rows_of(values, methods, ahead, season, origins, minimum, last)
        # As objects: a column of which a series has no value would be one of floats, and Arrow takes none as booleans.
        return pd.DataFrame([{**_EMPTY, "series": name, **one} for one in found], columns=_COLUMNS, dtype=object)

    return of_series


def filled(rows: pd.DataFrame, begin: int, last: int, fill: str) -> Floats:
    """Quantities of all periods from one place to another; at the ends of a gap that is interpolated: the nearest."""
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
    values: Floats, methods: Mapping[str, Forecast], ahead: int, season: int, origins: int, minimum: int, last: int
) -> Iterator[dict[str, object]]:
    status = {"row": "status", "periods": len(values), "total": float(values.sum())}
    train, test = values[:-ahead], values[-ahead:]
    if len(train) < minimum:
        yield {**status, "status": "too_short"}
        return
    if not train.any():
        yield {**status, "status": "nothing_sold"}
        return
    scale = scale_of(train)
    if scale == 0:
        yield {**status, "status": "constant"}
        return
    known = {name: _remembered(method) for name, method in methods.items()}
    kept = default_for(train, season)
    for_test = choose(train, ahead, season, origins, known, kept)
    for_next = choose(values, ahead, season, origins, known, default_for(values, season))
    squared = float((np.diff(train) ** 2).mean())
    status |= {"scale": scale, "squared_scale": squared, "kind": kind_of(train)}
    yield {**status, "status": "forecast", "model": for_next.model, "is_default": for_next.is_default}
    for name, method in known.items():
        error = test - method(train, ahead, season)
        mase, rmsse = float(np.abs(error).mean()) / scale, float(np.sqrt((error**2).mean() / squared))
        yield {"row": "model", "model": name, "error": mase, "squared_error": rmsse}
    yield from _earlier(for_test, "holdout")
    yield from _earlier(for_next, "next")
    # A quantity sold cannot be below 0 where none ever was.
    floor = 0.0 if values.min() >= 0 else -np.inf
    naive = known["naive"](train, ahead, season) if "naive" in known else np.full(ahead, train[-1])
    guess = np.maximum(known[for_test.model](train, ahead, season), floor)
    for step in range(ahead):
        yield {
            "row": "holdout", "model": for_test.model, "is_default": for_test.is_default, "step": step + 1,
            "place": last - ahead + 1 + step, "quantity": guess[step], "actual": test[step], "naive": naive[step],
            "scale": scale, "squared_scale": squared,
        }  # fmt: skip
    coming = np.maximum(known[for_next.model](values, ahead, season), floor)
    for step in range(ahead):
        yield {
            "row": "next", "model": for_next.model, "is_default": for_next.is_default, "step": step + 1,
            "place": last + 1 + step, "quantity": coming[step], "scale": scale_of(values) or scale,
        }  # fmt: skip


def _earlier(choice: Choice, part: str) -> Iterator[dict[str, object]]:
    for errors, scale in zip(choice.errors, choice.scales, strict=True):
        if scale > 0:
            for step, error in enumerate(errors):
                yield {"row": "earlier", "part": part, "step": step + 1, "error": error / scale}


def _remembered(method: Forecast) -> Forecast:
    """The same method; both choices look from the same origins, and every origin is a beginning of the same series."""
    known: dict[int, Floats] = {}

    def forecast(values: Floats, ahead: int, season: int) -> Floats:
        if len(values) not in known:
            known[len(values)] = method(values, ahead, season)
        return known[len(values)]

    return forecast
