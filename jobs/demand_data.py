"""What the demand jobs read: feature rows, calendar, factors and sales of a tenant as known at a night's cut-off.

A training reads pinned table versions, and notes them: from these and its parameters its training set can be made again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from expectations.contract import Contract, Zone
from expectations.tables import CALENDAR_FEATURES, DEMAND_FEATURES, FACTORS, SALES
from jobs.errors import TenantError
from jobs.lake import Lake, in_set
from jobs.silver import as_known_at
from models.demand.arrays import day
from models.demand.calendar import Calendar
from models.demand.factors import COLUMNS as FACTOR_COLUMNS
from models.demand.factors import MAX_FACTORS, no_rows
from models.demand.folds import Data
from models.demand.origins import COLUMNS, HIERARCHY, Origins
from models.demand.panel import Panel
from models.demand.parameters import Parameters

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

READ: tuple[tuple[Contract, Zone], ...] = (
    (SALES, Zone.SILVER),
    (DEMAND_FEATURES, Zone.FEATURES),
    (CALENDAR_FEATURES, Zone.FEATURES),
    (FACTORS, Zone.SILVER),
)
FEATURE_COLUMNS = list(dict.fromkeys((*COLUMNS, *HIERARCHY)))
CALENDAR_COLUMNS = [c.name for c in CALENDAR_FEATURES.columns if c.name not in ("tenant", "superseded_at")]
FACTOR_BACK_DAYS = 364 + 91  # before an origin: the year that a value is held beside, each of its days by one so old
CALENDAR_BACK_DAYS = 28  # before a night, whose calendar its models look at: were the last same weekdays holidays
BUCKETS = 1_000_000  # of the hash by which feature rows are sampled


@dataclass(frozen=True)
class NightData:
    """What a tenant's forecast is made from: an origin a series, and the calendar. `horizon`: where no champion says it."""

    origins: Origins
    calendar: Calendar
    horizon: int


@dataclass(frozen=True)
class Pinned:
    """The lake as of noted Delta versions, by "zone/name"; a table that did not exist has none."""

    lake: Lake
    versions: Mapping[str, int]

    def has(self, contract: Contract, zone: Zone) -> bool:
        return f"{zone}/{contract.name}" in self.versions

    def read(self, contract: Contract, zone: Zone) -> DataFrame:
        """As of its version; without rows where it did not exist, whatever it holds now."""
        rows = self.lake.read(contract, zone, self.versions.get(f"{zone}/{contract.name}"))
        return rows if self.has(contract, zone) else rows.limit(0)


@dataclass(frozen=True)
class Frames:
    """What a training up to `night` reads of one tenant, as frames whose rows are sorted: the same rows, the same frames."""

    features: pd.DataFrame  # FEATURE_COLUMNS
    calendar: pd.DataFrame  # CALENDAR_COLUMNS
    series: pd.DataFrame  # site, product, and lists `days` and `units`
    factors: pd.DataFrame  # FACTOR_COLUMNS

    def data(self, night: date, given: Parameters) -> Data:  # noqa: ARG002  as frames of weeks are asked
        return Data(
            origins=Origins.from_features(self.features),
            calendar=Calendar.from_features(self.calendar, self.factors),
            panel=Panel.from_series(self.series, day(night)),
            last_day=day(night),
        )


def training_frames(pinned: Pinned, tenant: str, night: date, given: Parameters) -> Frames:
    """All that a training of `tenant` up to `night` reads. Raises TenantError where there is nothing of it."""
    features = _features(pinned, tenant, night, given)
    if features.empty:
        raise TenantError(
            f"no demand features up to {night}: run `uretimiq run features --tenant {tenant} --date {night}`"
        )
    of_night = features.loc[features["date"] == pd.Timestamp(night), ["site", "cut_off"]]
    cut_offs = of_night.drop_duplicates("site").reset_index(drop=True)
    if cut_offs.empty:
        raise TenantError(
            f"no demand features of {night} itself: run `uretimiq run features --tenant {tenant} --date {night}`"
        )
    series = _sales(pinned, tenant, night, cut_offs, given)
    if series.empty:
        raise TenantError(f"no sales were known at the cut-off of {night}")
    ahead = night + timedelta(days=max(given.horizon, given.paths.path_days))
    cut_off = cut_offs["cut_off"].max().to_pydatetime()
    calendar = calendar_rows(pinned, tenant, ahead, cut_off)
    return Frames(
        features=in_order(features, ["date", "site", "product"]),
        calendar=in_order(calendar, ["site", "date", "available_at"]),
        series=in_order(series, ["site", "product"]),
        factors=factor_rows(pinned, tenant, _first_day(night, given), cut_off, given),
    )


def in_order(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Spark gives rows in any order."""
    return frame.sort_values(keys, kind="stable", ignore_index=True)


def _features(pinned: Pinned, tenant: str, night: date, given: Parameters) -> pd.DataFrame:
    """Feature rows to learn from and to be judged on; of many series a part, the same one each time."""
    from pyspark.sql import functions as F

    first = _first_day(night, given)
    rows = pinned.read(DEMAND_FEATURES, Zone.FEATURES).where(in_set("tenant", [tenant]))
    rows = rows.where((F.col("year") >= first.year) & F.col("date").between(first, night))
    judged = _judged_days(night, given)
    counts = rows.groupBy(F.col("date").isin(judged).alias("judged")).agg(
        F.count(F.lit(1)).alias("n"), F.count_distinct("site", "product").alias("series")
    )
    found = {r["judged"]: r for r in counts.collect()}
    if not found:
        return pd.DataFrame(columns=FEATURE_COLUMNS)
    learned, series = (max(r[name] for r in found.values()) for name in ("n", "series"))
    pair = F.pmod(F.xxhash64("site", "product", F.col("date").cast("string")), F.lit(BUCKETS))
    of_series = F.pmod(F.xxhash64("site", "product"), F.lit(BUCKETS))
    taken = F.when(F.col("date").isin(judged), of_series < _bound(given.evaluation_max_series, series))
    rows = rows.where(taken.otherwise(pair < _bound(given.max_origins, learned)) | (F.col("date") == F.lit(night)))
    return to_pandas(rows.select(*FEATURE_COLUMNS))


def _first_day(night: date, given: Parameters) -> date:
    return night - timedelta(days=given.history_days + given.folds * given.fold_days)


def _judged_days(night: date, given: Parameters) -> list[date]:
    ends = [night - timedelta(days=given.fold_days * k) for k in range(1, given.folds + 1)]
    return sorted({end + timedelta(days=offset) for end in ends for offset in given.counts.offsets})


def _bound(limit: int, there: int) -> int:
    return BUCKETS if there <= limit else max(1, BUCKETS * limit // there)


def _sales(pinned: Pinned, tenant: str, night: date, cut_offs: pd.DataFrame, given: Parameters) -> pd.DataFrame:
    """One row a series with its `days` and `units`, as known at the site's cut-off of the night."""
    from pyspark.sql import functions as F

    first = night - timedelta(days=given.panel_days)
    rows = pinned.read(SALES, Zone.SILVER).where(in_set("tenant", [tenant]))
    rows = rows.where((F.col("year") >= first.year) & F.col("date").between(first, night))
    moments = pinned.lake.spark.createDataFrame(cut_offs).withColumnRenamed("cut_off", "_cut_off")
    rows = as_known_at(rows.join(F.broadcast(moments), "site", "inner"), "_cut_off")
    pairs = F.sort_array(F.collect_list(F.struct(F.unix_date("date").alias("day"), "units")))
    series = rows.groupBy("site", "product").agg(pairs.alias("pairs"))
    return to_pandas(
        series.select("site", "product", F.col("pairs.day").alias("days"), F.col("pairs.units").alias("units"))
    )


def calendar_rows(pinned: Pinned, tenant: str, last: date, cut_off: datetime) -> pd.DataFrame:
    """CALENDAR_FEATURES up to the day `last`, all versions that were known at `cut_off`."""
    from pyspark.sql import functions as F

    rows = pinned.read(CALENDAR_FEATURES, Zone.FEATURES).where(in_set("tenant", [tenant]))
    # what became known later must not even lend its name
    known = rows.where((F.col("date") <= last) & (F.col("available_at") <= F.lit(cut_off)))
    return to_pandas(known.select(*CALENDAR_COLUMNS))


def factor_rows(pinned: Pinned, tenant: str, first: date, cut_off: datetime, given: Parameters) -> pd.DataFrame:
    """FACTORS that origins from the day `first` on look at, all versions that were known at `cut_off`, sorted.

    Raises TenantError where they are too many, or one that the parameters name is not there.
    """
    from pyspark.sql import functions as F

    if not pinned.has(FACTORS, Zone.SILVER):
        return _chosen(tenant, no_rows(), given)
    rows = pinned.read(FACTORS, Zone.SILVER).where(in_set("tenant", [tenant]))
    rows = rows.where(_factor_days(first)).where(F.col("available_at") <= F.lit(cut_off))
    if given.factors:
        rows = rows.where(in_set("factor", given.factors))
    return in_order(_chosen(tenant, _coded(rows.select(*FACTOR_COLUMNS)), given), list(FACTOR_COLUMNS))


def _chosen(tenant: str, rows: pd.DataFrame, given: Parameters) -> pd.DataFrame:
    there = sorted(set(rows["factor"].unique()))
    lacking = [name for name in given.factors if name not in there]
    if lacking:
        raise TenantError(
            f"demand.yaml asks for the factors {', '.join(lacking)}, of which no value is known: import them into "
            "`factors`, or leave them out"
        )
    if len(there) > MAX_FACTORS:
        raise TenantError(
            f"{len(there)} factors are known, a model takes {MAX_FACTORS}: name those to use in demand.yaml, "
            f"as `tenants: {{{tenant}: {{factors: [{there[0]}, {there[1]}]}}}}`"
        )
    return rows


def factors_of(lake: Lake, tenants: Iterable[str], first: date) -> pd.DataFrame:
    """FACTORS that a night from the day `first` on looks at, all versions, with `tenant`."""
    if not lake.exists(FACTORS, Zone.SILVER):
        return no_rows().assign(tenant=[])
    rows = lake.read(FACTORS, Zone.SILVER).where(in_set("tenant", tenants)).where(_factor_days(first))
    return _coded(rows.select("tenant", *FACTOR_COLUMNS))


def _factor_days(first: date) -> str:
    begin = first - timedelta(days=FACTOR_BACK_DAYS)
    return f"year >= {begin.year} AND date >= DATE'{begin}'"


def _coded(frame: DataFrame) -> pd.DataFrame:
    """With names as categories, sorted: objects of text would be slow by the million."""
    table: Any = frame.toArrow()
    rows: pd.DataFrame = table.to_pandas(date_as_object=False, categories=["site", "factor"])
    for name in ("site", "factor"):
        rows[name] = rows[name].cat.reorder_categories(sorted(rows[name].cat.categories))
    return rows


def features_of(
    lake: Lake, tenants: Iterable[str], nights: Collection[date], columns: Sequence[str] = FEATURE_COLUMNS
) -> pd.DataFrame:
    """Feature rows of some nights, with `tenant` and `columns`."""
    years, listed = ", ".join(sorted({str(n.year) for n in nights})), ", ".join(f"DATE'{n}'" for n in nights)
    rows = (
        lake.read(DEMAND_FEATURES).where(in_set("tenant", tenants)).where(f"year IN ({years}) AND date IN ({listed})")
    )
    return to_pandas(rows.select("tenant", *columns))


def calendar_of(lake: Lake, tenants: Iterable[str], first: date, last: date) -> pd.DataFrame:
    """CALENDAR_FEATURES of the days from `first` to `last`, all versions, with `tenant`."""
    rows = lake.read(CALENDAR_FEATURES).where(in_set("tenant", tenants))
    rows = rows.where(f"date >= DATE'{first}' AND date <= DATE'{last}'")
    return to_pandas(rows.select("tenant", *CALENDAR_COLUMNS))


def by_tenant(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each tenant."""
    return {str(tenant): of_tenant for tenant, of_tenant in rows.groupby("tenant")}


def to_pandas(frame: DataFrame) -> pd.DataFrame:
    """By Arrow, with dates as numpy dates: objects of `date` would be slow by the million."""
    table: Any = frame.toArrow()
    return table.to_pandas(date_as_object=False)
