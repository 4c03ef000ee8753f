"""What became of a night's forecasts: the units that were sold, beside what was said, and beside seasonal naive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.demand.arrays import Bools, Floats, Strings, codes, days, divide, nan_mean, strings
from models.demand.evaluate import pinball
from models.demand.fallback import naive_of_the_night
from models.demand.origins import Origins
from models.demand.parameters import QUANTILE_COLUMNS

SAID = (
    "site",
    "product",
    "horizon",
    *QUANTILE_COLUMNS,
    "method",
    "model_version",
)  # columns of forecasts that are looked at


@dataclass(frozen=True)
class Said:
    """Forecasts of n series from one night: `quantiles` (n, ahead, 3) in pieces, and who said them. `keys` are sorted."""

    keys: Strings
    quantiles: Floats
    method: Strings
    version: Strings

    @classmethod
    def of(cls, rows: pd.DataFrame, ahead: int) -> Said:
        """From rows of DEMAND_FORECAST (SAID) of one night. A series that lacks one of the first `ahead` periods is left out."""
        rows = rows[rows["horizon"] <= ahead]
        key = strings(rows["site"]) + "/" + strings(rows["product"])
        order = np.lexsort((rows["horizon"].to_numpy(), key))
        rows, key = rows.iloc[order], key[order]
        keys, begin, count = np.unique(key, return_index=True, return_counts=True)
        whole = count == ahead
        each = (begin[whole][:, None] + np.arange(ahead)[None, :]).astype(int)
        quantiles = rows[list(QUANTILE_COLUMNS)].to_numpy(dtype=float)[each]
        first = begin[whole]
        method, version = (rows[name].to_numpy(dtype=object)[first] for name in ("method", "model_version"))
        return cls(keys[whole], quantiles, method, version)

    def take(self, keys: Strings) -> Said:
        """The same of `keys`; NaN, and no version, for a series that it says nothing of."""
        if not len(self.keys):
            nothing = np.full(len(keys), None, dtype=object)
            return Said(keys, np.full((len(keys), *self.quantiles.shape[1:]), np.nan), nothing, nothing)
        row = codes(keys, self.keys)
        method, version = self.method[row], self.version[row]
        method[row < 0], version[row < 0] = None, None
        return Said(keys, np.where((row >= 0)[:, None, None], self.quantiles[row], np.nan), method, version)


def actual(sales: pd.DataFrame, keys: Strings, night: int, ahead: int) -> Floats:
    """Units of the `ahead` days after `night` of series that have begun before, (n, ahead).

    `sales` has site, product, date and units of some days before the night on. A day without a row is 0 up to the last day
    on which the site reported anything, and unknown (NaN) after it.
    """
    site, key = strings(sales["site"]), strings(sales["site"]) + "/" + strings(sales["product"])
    day = days(sales["date"]) - night
    last = pd.Series(day).groupby(site).max()
    reported = last.reindex([k.split("/")[0] for k in keys]).fillna(0).to_numpy()
    units = np.where(np.arange(1, ahead + 1)[None, :] <= reported[:, None], 0.0, np.nan)
    row = codes(key, keys)
    mine = (day >= 1) & (day <= ahead) & (row >= 0)
    units[row[mine], day[mine] - 1] = sales["units"].to_numpy(dtype=float)[mine]
    return units


def score(said: Said, challenger: Said, origins: Origins, units: Floats) -> pd.DataFrame:
    """A row for each series of `said` whose night is among `origins` and of which some period ahead is known.

    `units` (n, ahead) is what was sold, of the series of `said`. The columns are those of DEMAND_SCORES that a score has;
    what they count in days are whole weeks where the forecasts are of weeks.
    """
    row = pd.Index(origins.key).get_indexer(pd.Index(said.keys))
    known = ~np.isnan(units)
    judged = np.flatnonzero((row >= 0) & known.any(axis=1))
    said, units, known = said.take(said.keys[judged]), units[judged], known[judged]
    ahead, days_of = units.shape[1], origins.period.days
    naive = naive_of_the_night(origins).predict(origins.take(row[judged]), ahead)
    size = _size(origins.take(row[judged]))
    other = challenger.take(said.keys)
    error, its_error, naive_error = (_absolute(units, q) for q in (said.quantiles, other.quantiles, naive))
    spoke = ~np.isnan(other.quantiles[:, 0, 1])
    site, product = (np.array([k.split("/")[part] for k in said.keys], dtype=object) for part in (0, 1))
    return pd.DataFrame(
        {
            "days": np.full(len(units), ahead * days_of, dtype=np.int32),
            "site": site,
            "product": product,
            "method": said.method,
            "model_version": said.version,
            "challenger_version": other.version,
            "known_days": (known.sum(axis=1) * days_of).astype(np.int32),
            "units": np.nansum(units, axis=1),
            "forecast_units": _sum(said.quantiles[..., 1], known),
            "absolute_error": error,
            "naive_absolute_error": naive_error,
            "challenger_absolute_error": np.where(spoke, its_error, np.nan),
            "value_added": 1 - divide(error, naive_error),
            "covered_days": (_inside(units, said.quantiles).sum(axis=1) * days_of).astype(np.int32),
            "pinball": _loss(units, said.quantiles, size),
            "naive_pinball": _loss(units, naive, size),
            "challenger_pinball": np.where(spoke, _loss(units, other.quantiles, size), np.nan),
        }
    )


def _size(origins: Origins) -> Floats:
    """Of each series: at least its year's mean, so that a series that was still for two months does not outweigh the rest."""
    year = origins.units[:, len(origins.period.means) - 1]
    return np.maximum(origins.scale, np.nan_to_num(year))


def _sum(values: Floats, known: Bools) -> Floats:
    return np.asarray(np.where(known, values, 0.0).sum(axis=1))


def _absolute(units: Floats, quantiles: Floats) -> Floats:
    return np.asarray(np.nansum(np.abs(units - quantiles[..., 1]), axis=1))


def _inside(units: Floats, quantiles: Floats) -> Bools:
    return np.asarray((units >= quantiles[..., 0]) & (units <= quantiles[..., 2]))


def _loss(units: Floats, quantiles: Floats, size: Floats) -> Floats:
    return nan_mean(pinball(units, quantiles)) / size
