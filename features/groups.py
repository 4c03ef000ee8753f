"""The product groups: which one a product was known to be in, and what each sold at a site."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.series import MONTH
from features.sites import SiteCalendar

GROUP = ["tenant", "site", "product_group"]


def known_groups(rows: DataFrame, products: DataFrame) -> DataFrame:
    """Add product_group and product_sub_group of the column `product` as known at the column `cut_off`; else null."""
    versions = products.selectExpr(
        "tenant AS _tenant",
        "product AS _product",
        "available_at AS _known_from",
        "superseded_at AS _known_until",
        "product_group",
        "product_sub_group",
    )
    then = F.expr(
        "tenant = _tenant AND product = _product"
        " AND _known_from <= cut_off AND (_known_until IS NULL OR _known_until > cut_off)"
    )
    joined = rows.join(F.broadcast(versions), then, "left")
    return joined.drop("_tenant", "_product", "_known_from", "_known_until")


def group_sums(seen: DataFrame, products: DataFrame, calendar: SiteCalendar) -> DataFrame:
    """Rows (tenant, site, product_group, day, group_sum_28): units of the whole group in the 28 days until the day.

    `seen` are the versions of `seen_versions`. One that all days see from its own on is first summed up by day, if its
    product stays in one group; any other is counted on each of the at most 28 days that see it.
    """
    cells = seen.join(F.broadcast(_steady(products, calendar)), ["tenant", "product"], "left").selectExpr(
        "tenant",
        "site",
        "product",
        "units",
        "date",
        "range_last",
        "seen_from",
        f"least(date_add(date, {MONTH - 1}), range_last, date_add(seen_until, -1)) AS _until",
        "_steady IS NOT NULL AND seen_until IS NULL AND seen_from <= greatest(date, range_first) AS _plain",
    )
    days = "explode(IF(_plain, array(seen_from), sequence(seen_from, _until))) AS day"
    cells = cells.where("seen_from <= _until").selectExpr("*", days)
    placed = known_groups(cells.join(F.broadcast(calendar.days), ["tenant", "site", "day"], "inner"), products)
    summed = (
        placed.where("product_group IS NOT NULL")
        # a row that is counted on single days ends there; one summed up by day goes on to the others that see it
        .groupBy(*GROUP, "day", F.expr("IF(_plain, _until, day) AS _until"))
        .agg(F.sum("units").alias("units"))
    )
    every = summed.selectExpr(*GROUP, "units", "explode(sequence(day, _until)) AS day")
    return every.groupBy(*GROUP, "day").agg(F.sum("units").alias("group_sum_28"))


def _steady(products: DataFrame, calendar: SiteCalendar) -> DataFrame:
    """Rows (tenant, product, _steady) of the products that are known, and in one group, throughout the range."""
    bounds = calendar.days.groupBy("tenant").agg(F.min("cut_off").alias("_first"), F.max("cut_off").alias("_last"))
    there = products.join(F.broadcast(bounds), "tenant", "inner")
    return there.where("available_at <= _first AND (superseded_at IS NULL OR superseded_at > _last)").selectExpr(
        "tenant", "product", "true AS _steady"
    )
