"""One model for all series: the deviation of a future value from the level, by ridge regression on the past.

Direct forecasts with a regression per step ahead, fitted across series as in Montero-Manso & Hyndman 2021, "Principles
and algorithms for forecasting groups of time series". The solution is exact: cross products of the features are summed
over series, so that each worker returns one small array, whatever the number of series.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from otklik.forecasts.demand.models import Floats, levels

#: What is known of a period in advance: holidays, the logarithm of the price, promotion.
KNOWN = 3
#: Number of regressors.
SIZE = 8 + KNOWN
#: Minimum number of periods before a row for fitting.
_BEGIN = 8
#: Deviations are clipped here, in mean changes from period to period: one unusual order is not a pattern.
_FARTHEST = 8.0
#: Ridge penalty: equivalent to as many rows with the target 0.
_RIDGE = 20.0


def products_of(series: Iterable[tuple[Floats, Floats]], ahead: int, season: int, backs: int) -> Floats:
    """Cross products of some series, to be summed over all series.

    Args:
        series: values up to the same last period; and (values + ahead, KNOWN) what is known in advance of each period.
        ahead: number of periods ahead.
        season: periods of a season.
        backs: origins to fit for, 0 … backs − 1.

    Returns:
        (backs, ahead, SIZE, SIZE + 1): products of the features with each other and with the target, over all that was
        known `back` × `ahead` periods before the end.
    """
    found = np.zeros((backs, ahead, SIZE, SIZE + 1))
    for values, known in series:
        ends = np.arange(_BEGIN, len(values))
        if not len(ends):
            continue
        numbers, level, scale = _numbers_at(values, known, ends, ahead, season)
        # Without any change there is no scale and nothing to learn.
        numbers[scale == 0] = 0.0
        unit = np.where(scale > 0, scale, np.inf)
        for step in range(ahead):
            count = len(ends) - step
            if count <= 0:
                break
            far = (values[ends[:count] + step] - level[:count]) / unit[:count]
            answer = np.clip(far, -_FARTHEST, _FARTHEST)
            both = np.hstack([numbers[:count, step], answer[:, np.newaxis]])
            # The rows between one origin and the one before it.
            cuts = [*np.clip(count - ahead * np.arange(backs), 0, count).tolist(), 0]
            for back in range(backs):
                part = both[cuts[back + 1] : cuts[back]]
                found[back, step] += part[:, :SIZE].T @ part
    # Each origin includes the rows of all earlier ones.
    earlier_too: Floats = found[::-1].cumsum(axis=0)[::-1]
    return earlier_too


def coefficients_of(products: Floats) -> Floats:
    """Coefficients (backs, ahead, SIZE) from the sum of `products_of` over all series."""
    ridge = _RIDGE * np.eye(SIZE)
    return np.asarray(np.linalg.solve(products[..., :SIZE] + ridge, products[..., SIZE:])[..., 0], np.float64)


def pooled(values: Floats, known: Floats, ahead: int, season: int, coefficients: Floats) -> Floats:
    """The forecast of a series by the coefficients of one origin, (ahead, SIZE); see `products_of`."""
    numbers, level, scale = _numbers_at(values, known, np.array([len(values)]), ahead, season)
    found: Floats = level[0] + scale[0] * (numbers[0] * coefficients).sum(axis=1)
    return found


def _numbers_at(
    values: Floats, known: Floats, ends: npt.NDArray[np.intp], ahead: int, season: int
) -> tuple[Floats, Floats, Floats]:
    """Features of a series after its first `ends` values.

    Returns:
        (ends, ahead, SIZE) numbers: 1; how far the last value and the means of the last 4, 13 and `season` periods lie
        from the level; a season ago, how far the five periods around the target and the last four lay from the mean of
        the last season; whether there is a season ago; how much the known values of the target differ from their mean
        in the last 13 periods. (ends,) the level, smoothed with alpha = .1; (ends,) the mean
        change from one period to the next.
    """
    sums = np.concatenate([[0.0], values.cumsum()])
    changes = np.concatenate([[0.0], np.abs(np.diff(values)).cumsum()])

    def mean_of(begins: npt.NDArray[np.intp], until: npt.NDArray[np.intp]) -> Floats:
        return np.asarray((sums[until] - sums[begins]) / np.maximum(until - begins, 1), np.float64)

    level = levels(values, 0.1)[ends - 1]
    scale = changes[ends - 1] / np.maximum(ends - 1, 1)
    unit = np.where(scale > 0, scale, 1.0)

    def far(value: Floats, usual: Floats) -> Floats:
        return np.asarray(np.clip((value - usual) / unit, -_FARTHEST, _FARTHEST), np.float64)

    last_season = mean_of(np.maximum(ends - season, 0), ends)
    found = np.zeros((len(ends), ahead, SIZE))
    found[..., 0] = 1.0
    for place, value in enumerate(
        (values[ends - 1], *(mean_of(np.maximum(ends - count, 0), ends) for count in (4, 13)), last_season), start=1
    ):
        found[..., place] = far(value, level)[:, np.newaxis]
    known_sums = np.vstack([np.zeros(KNOWN), known.cumsum(axis=0)])
    recent = np.maximum(ends - 13, 0)
    usual = (known_sums[ends] - known_sums[recent]) / (ends - recent)[:, np.newaxis]
    for step in range(ahead):
        before = np.minimum(ends + step - season, ends - 1)
        around = mean_of(np.clip(before - 2, 0, ends), np.clip(before + 3, 0, ends))
        then = mean_of(np.clip(ends - season - 4, 0, ends), np.clip(ends - season, 0, ends))
        found[:, step, 5] = np.where(before >= 2, far(around, last_season), 0.0)
        found[:, step, 6] = np.where(ends - season >= 4, far(then, last_season), 0.0)
        found[:, step, 7] = before >= 2
        found[:, step, 8:] = known[ends + step] - usual
    return found, level, scale
