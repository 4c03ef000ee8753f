"""The catalogue: every table of the platform, declared once. A new table is one declaration here."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from expectations.contract import (
    AVAILABLE_AT,
    PRODUCT,
    SITE,
    TENANT,
    UTC_TIME,
    AtMost,
    Between,
    Catalogue,
    Column,
    Contract,
    Matches,
    OneOf,
    Severity,
    Zone,
    code_rule,
)

DATE = Column("date", pa.date32(), "Day at the site, in its own time zone")
EARLIEST, LATEST = "1990-01-01", "2100-01-01"

_DATE_IN_RANGE = Between(
    name="date_in_range",
    column="date",
    low=EARLIEST,
    high=LATEST,
    reason="No plant's records are older than 1990 or from beyond 2100: the export's date format was misread.",
)
_KNOWN_BEFORE_LANDED = AtMost(
    name="known_before_landed",
    lower="available_at",
    upper="ingested_at",
    reason="A row cannot have been known later than it arrived: the map's known time or a clock is wrong.",
)
_CODES = (code_rule("site"), code_rule("product"))
_DAILY = ("tenant", "site", "product", "date")


def _units(meaning: str) -> Column:
    return Column("units", pa.float64(), meaning, unit="piece")


def _daily(name: str, meaning: str, units: str, *, extra: tuple[Column, ...] = (), **more: object) -> Contract:
    """A landed table of one quantity for each product, site and day."""
    rules = (
        *_CODES,
        _DATE_IN_RANGE,
        Between(
            name="units_not_negative",
            column="units",
            low=0,
            high=1e9,
            reason="A day's quantity of one product lies between none and a thousand million; returns are not negative rows.",
        ),
        *more.pop("rules", ()),  # type: ignore[misc]
        _KNOWN_BEFORE_LANDED,
    )
    return Contract(
        name=name,
        zone=Zone.SILVER,
        meaning=meaning,
        version="1.0.0",
        owner="data engineering",
        keys=_DAILY,
        columns=(TENANT, SITE, PRODUCT, DATE, _units(units), *extra, AVAILABLE_AT),
        rules=rules,
        event_time="date",
        known_time="available_at",
        landed=True,
        **more,  # type: ignore[arg-type]
    )


SALES = _daily(
    "sales",
    "Units of a product ordered by customers, for each site and day.",
    "Units ordered that day",
    extra=(
        Column("unit_price", pa.float64(), "Net sales price of one piece", unit="currency/piece", nullable=True),
        Column("promotion", pa.bool_(), "Whether the product was on promotion that day", nullable=True),
    ),
    rules=(
        Between(
            name="unit_price_plausible",
            column="unit_price",
            low=0,
            high=1e9,
            severity=Severity.WARNS,
            reason="A negative price is a credit note, which belongs in another export.",
        ),
    ),
    stale_after_days=14,
)
PRODUCTION = _daily("production", "Units of a product produced, for each site and day.", "Units produced that day")
DELIVERIES = _daily("deliveries", "Units of a product delivered, for each site and day.", "Units delivered that day")

PRODUCTS = Contract(
    name="products",
    zone=Zone.SILVER,
    meaning="The products and their place in the hierarchy: group and sub-group.",
    version="1.0.0",
    owner="data engineering",
    keys=("tenant", "product"),
    columns=(
        TENANT,
        PRODUCT,
        Column("product_name", pa.string(), "Name as the ERP writes it", nullable=True),
        Column("product_group", pa.string(), "Upper level of the hierarchy"),
        Column("product_sub_group", pa.string(), "Lower level of the hierarchy"),
        AVAILABLE_AT,
    ),
    rules=(code_rule("product"), _KNOWN_BEFORE_LANDED),
    known_time="available_at",
    landed=True,
)
SITES = Contract(
    name="sites",
    zone=Zone.SILVER,
    meaning="The sites, their country and time zone.",
    version="1.0.0",
    owner="data engineering",
    keys=("tenant", "site"),
    columns=(
        TENANT,
        SITE,
        Column("site_name", pa.string(), "Name of the site", nullable=True),
        Column("country", pa.string(), "ISO 3166-1 alpha-2 code; its holidays count for the site"),
        Column(
            "region", pa.string(), "ISO 3166-2 subdivision without the country, for regional holidays", nullable=True
        ),
        Column("time_zone", pa.string(), "IANA time zone in which the site's days begin"),
        Column("currency", pa.string(), "ISO 4217 code of its prices", nullable=True),
        AVAILABLE_AT,
    ),
    rules=(
        code_rule("site"),
        Matches(
            name="country_is_iso",
            column="country",
            pattern="[A-Z]{2}",
            reason="The holiday calendar is found by the ISO 3166-1 alpha-2 code.",
        ),
        Matches(
            name="time_zone_is_iana",
            column="time_zone",
            pattern="UTC|[A-Z][A-Za-z_]+/[A-Za-z_/+0-9-]+",
            reason="The end of a site's day is found by its IANA time zone.",
        ),
        _KNOWN_BEFORE_LANDED,
    ),
    known_time="available_at",
    landed=True,
)
CALENDAR_EVENTS = Contract(
    name="calendar_events",
    zone=Zone.SILVER,
    meaning="Days known beforehand that move demand: events, campaigns, benefit days, plant shutdowns.",
    version="1.0.0",
    owner="planning",
    keys=("tenant", "site", "date", "event"),
    columns=(
        TENANT,
        Column("site", pa.string(), "Site for which it counts; * for all of the tenant's"),
        DATE,
        Column("event", pa.string(), "Name of the event"),
        Column("kind", pa.string(), "Class of the event, by which models learn its effect"),
        AVAILABLE_AT,
    ),
    rules=(code_rule("site"), _DATE_IN_RANGE, _KNOWN_BEFORE_LANDED),
    event_time="date",
    known_time="available_at",
    landed=True,
)

FACTOR_NAME = r"[a-z][a-z0-9_]{0,39}"
FACTORS = Contract(
    name="factors",
    zone=Zone.SILVER,
    meaning="Numbers from outside that may move demand: weather, raw material prices, exchange rates; as told each time.",
    version="1.0.0",
    owner="planning",
    keys=("tenant", "site", "date", "factor"),
    columns=(
        TENANT,
        Column("site", pa.string(), "Site for which it counts; * for all of the tenant's that have none of their own"),
        Column("date", pa.date32(), "Day of which the value is; of a forecast a day to come"),
        Column(
            "factor", pa.string(), "What it is, as temperature, cotton_price or usd_try; models learn it by this name"
        ),
        Column("value", pa.float64(), "Its value on that day, as it was known then"),
        Column("unit", pa.string(), "In which unit, as °C or TRY/kg"),
        AVAILABLE_AT,
    ),
    rules=(
        code_rule("site"),
        _DATE_IN_RANGE,
        Matches(
            name="factor_is_a_name",
            column="factor",
            pattern=FACTOR_NAME,
            reason="A factor's name is 1 to 40 of a-z, 0-9 and _, beginning with a letter: models and sentences use it.",
        ),
        Between(
            name="value_plausible",
            column="value",
            low=-1e12,
            high=1e12,
            reason="A value is a finite number; what is not known has no row.",
        ),
        _KNOWN_BEFORE_LANDED,
    ),
    event_time="date",
    known_time="available_at",
    landed=True,
)

# ---------------------------------------------------------------------------- operations
RUN_ID = Column("run_id", pa.string(), "Run of the job that wrote the row")

INGEST_LEDGER = Contract(
    name="ingest_ledger",
    zone=Zone.OPERATIONS,
    meaning="Every object that ingest has seen, by the content of it; landed = bronze + quarantine, file by file.",
    version="1.0.0",
    owner="data engineering",
    keys=("tenant", "content_hash", "object_key"),
    columns=(
        TENANT,
        Column("content_hash", pa.string(), "SHA-256 of the object"),
        Column("object_key", pa.string(), "Key of the object in the landing bucket"),
        Column("etag", pa.string(), "ETag of the object; with the key it tells whether the object is new to us"),
        Column("bytes", pa.int64(), "Size of the object", unit="byte"),
        Column("contract", pa.string(), "Contract that the object claims to follow", nullable=True),
        Column("contract_version", pa.string(), "Version of that contract at the gateway", nullable=True),
        Column("gateway", pa.string(), "Gateway that sent it", nullable=True),
        Column("sequence", pa.int64(), "The gateway's own count of its objects", nullable=True),
        Column("batch", pa.int64(), "Ingest batch that took it, from 1"),
        Column("status", pa.string(), "planned, done, quarantined or duplicate"),
        Column("message", pa.string(), "Why it is quarantined or a duplicate of what", nullable=True),
        Column("rows_landed", pa.int64(), "Rows in the object, or as its manifest says where it is unreadable"),
        Column("rows_bronze", pa.int64(), "Rows of it in bronze"),
        Column("rows_rescued", pa.int64(), "Of those in bronze: with a column that the contract does not know"),
        Column("rows_quarantined", pa.int64(), "Rows of it in quarantine"),
        Column("landed_at", UTC_TIME, "When the object appeared in the landing bucket"),
        Column("ingested_at", UTC_TIME, "When the batch was finished; null while planned", nullable=True),
        RUN_ID,
    ),
    rules=(
        OneOf(
            name="status_known",
            column="status",
            values=("planned", "done", "quarantined", "duplicate"),
            reason="Other states would escape the count.",
        ),
    ),
    known_time="ingested_at",
    # Not by tenant: 300 tenants would make 300 files of a few rows in every commit.
    partitioned_by=(),
)
QUARANTINE = Contract(
    name="quarantine",
    zone=Zone.OPERATIONS,
    meaning="Every row that failed a blocking rule, with all rules that it failed and its original values.",
    version="1.0.0",
    owner="data engineering",
    keys=("tenant", "contract", "object_key", "content_hash", "row_index"),
    columns=(
        TENANT,
        Column("contract", pa.string(), "Contract that the row failed; unknown where the object's key names none"),
        Column("content_hash", pa.string(), "SHA-256 of the landed object"),
        Column("object_key", pa.string(), "Key of that object in the landing bucket"),
        Column("row_index", pa.int64(), "Position of the row in the object; -1 for an object quarantined whole"),
        Column("rows", pa.int64(), "1, or the rows of an object quarantined whole"),
        Column("rules", pa.list_(pa.string()), "Names of the rules that it failed"),
        Column("reason", pa.string(), "The rules' reasons, or what is wrong with the object"),
        Column(
            "original", pa.string(), "The row as landed, as JSON; null for an object quarantined whole", nullable=True
        ),
        Column("gateway", pa.string(), "Gateway that sent it", nullable=True),
        Column("batch", pa.int64(), "Ingest batch that quarantined it"),
        Column("quarantined_at", UTC_TIME, "When"),
        Column("replayed_at", UTC_TIME, "When it went to bronze after all; null while it is here", nullable=True),
        RUN_ID,
    ),
    known_time="quarantined_at",
    partitioned_by=(),
)
PROGRESS = Contract(
    name="progress",
    zone=Zone.OPERATIONS,
    meaning="How far each reader of bronze has come, by tenant and contract.",
    version="1.0.0",
    owner="data engineering",
    keys=("reader", "tenant", "contract"),
    columns=(
        Column("reader", pa.string(), "Job that reads bronze"),
        TENANT,
        Column("contract", pa.string(), "Contract read"),
        Column("batch", pa.int64(), "Last ingest batch taken over"),
        Column("updated_at", UTC_TIME, "When"),
    ),
    known_time="updated_at",
    partitioned_by=(),
)
JOB_RUNS = Contract(
    name="job_runs",
    zone=Zone.OPERATIONS,
    meaning="What each run of a job did for each tenant.",
    version="1.0.0",
    owner="data engineering",
    keys=("run_id", "job", "tenant"),
    columns=(
        RUN_ID,
        Column("job", pa.string(), "Name of the job"),
        TENANT,
        Column("date", pa.date32(), "Night for which it ran", nullable=True),
        Column("status", pa.string(), "ok, failed or blocked"),
        Column("reason", pa.string(), "Why it failed or was blocked, in one line", nullable=True),
        Column("rows", pa.int64(), "Rows written for the tenant"),
        Column("seconds", pa.float64(), "Time it took for all tenants of the run", unit="s"),
        Column("started_at", UTC_TIME, "Start"),
        Column("ended_at", UTC_TIME, "End"),
        Column("code_version", pa.string(), "Version of the code that ran"),
        Column("table_versions", pa.string(), "Delta versions of the tables read, as JSON"),
    ),
    rules=(
        OneOf(
            name="run_status_known",
            column="status",
            values=("ok", "failed", "blocked"),
            reason="Other states would escape the report.",
        ),
    ),
    known_time="ended_at",
    partitioned_by=(),
    retention_days=400,
)
CHECK_RESULTS = Contract(
    name="check_results",
    zone=Zone.OPERATIONS,
    meaning="The result of every rule at every door, by tenant.",
    version="1.0.0",
    owner="data quality",
    keys=("run_id", "door", "contract", "tenant", "rule"),
    columns=(
        RUN_ID,
        Column("door", pa.string(), "Zone at whose door it was checked"),
        Column("contract", pa.string(), "Contract checked"),
        TENANT,
        Column("rule", pa.string(), "Rule of the contract"),
        Column("severity", pa.string(), "blocks or warns"),
        Column("rows_checked", pa.int64(), "Rows looked at"),
        Column("rows_failed", pa.int64(), "Rows that failed"),
        Column("sample", pa.string(), "Keys of some failing rows, as JSON", nullable=True),
        Column("checked_at", UTC_TIME, "When"),
    ),
    known_time="checked_at",
    partitioned_by=(),
    retention_days=400,
)

# ---------------------------------------------------------------------------- features and gold
LAGS = tuple(range(28))  # lag 0 is the day of the row itself: four whole weeks, so every weekday is there
ROLLING_MEANS = (7, 14, 28, 56, 182, 364)
ROLLING_STDS = (7, 28, 56)
LAST_YEAR_LAGS = (357, 350, 343, 336)  # the week, a year ago, of the 1st, 2nd, 3rd and 4th week ahead
HORIZON_DAYS = 28
MAX_HORIZON = 60  # days or weeks


def _number(name: str, meaning: str, unit: str | None = None) -> Column:
    return Column(name, pa.float64(), meaning, unit=unit, nullable=True)


CUT_OFF = Column("cut_off", UTC_TIME, "Nothing that became known after this moment is in the row")

DEMAND_FEATURES = Contract(
    name="demand_features",
    zone=Zone.FEATURES,
    meaning="What was known of each series' demand at the cut-off of a day; lags count back from that day.",
    version="1.0.0",
    owner="data science",
    keys=_DAILY,
    columns=(
        TENANT,
        SITE,
        PRODUCT,
        DATE,
        CUT_OFF,
        *(_number(f"units_lag_{k}", f"Units {k} days before", "piece") for k in LAGS),
        *(
            _number(f"units_mean_{w}", f"Mean of the last {w} days' units, this day included", "piece")
            for w in ROLLING_MEANS
        ),
        *(
            _number(
                f"units_std_{w}",
                f"Sample standard deviation of the last {w} days' units, if any of the last {min(w, 28)} is known",
                "piece",
            )
            for w in ROLLING_STDS
        ),
        *(
            _number(f"units_mean_7_lag_{k}", f"Mean of the 7 days that end {k} days before this day", "piece")
            for k in LAST_YEAR_LAGS
        ),
        _number("units_zero_share_28", "Share of the last 28 days without units", "1"),
        _number("days_since_first", "Days since the series' first known row", "d"),
        _number("days_since_last_sale", "Days since the last day with units", "d"),
        _number("unit_price", "Last known price", "currency/piece"),
        _number("unit_price_ratio_28", "That price over its mean on the days of the last 28 that tell it", "1"),
        _number("promotion_share_28", "Share on promotion of the days of the last 28 that tell it", "1"),
        Column("product_group", pa.string(), "Upper level of the hierarchy, as known", nullable=True),
        Column("product_sub_group", pa.string(), "Lower level of the hierarchy, as known", nullable=True),
        _number("group_units_mean_28", "Mean of the last 28 days' units of the group at the site", "piece"),
        _number("share_of_group_28", "The series' part of the group's units of the last 28 days", "1"),
        Column("year", pa.int32(), "Year of the day; partition"),
    ),
    rules=(
        *_CODES,
        _DATE_IN_RANGE,
        Between(
            name="units_mean_28_not_negative",
            column="units_mean_28",
            low=0,
            reason="A mean of quantities that are not negative is not negative.",
        ),
        Between(
            name="units_zero_share_28_is_a_share",
            column="units_zero_share_28",
            low=0,
            high=1,
            reason="A share lies between 0 and 1.",
        ),
    ),
    event_time="date",
    known_time="cut_off",
    partitioned_by=("tenant", "year"),
)
CALENDAR_FEATURES = Contract(
    name="calendar_features",
    zone=Zone.FEATURES,
    meaning="What is known beforehand of each day at each site; a version a row, where events became known later.",
    version="1.0.0",
    owner="data science",
    keys=("tenant", "site", "date", "available_at"),
    columns=(
        TENANT,
        SITE,
        DATE,
        AVAILABLE_AT,
        Column(
            "superseded_at", UTC_TIME, "When the next version became known; null for the current one", nullable=True
        ),
        Column("day_of_week", pa.int32(), "ISO day of the week, Monday is 1"),
        Column("day_of_month", pa.int32(), "Day of the month"),
        Column("day_of_year", pa.int32(), "Day of the year"),
        Column("week_of_year", pa.int32(), "ISO week"),
        Column("month", pa.int32(), "Month"),
        Column(
            "is_weekend", pa.bool_(), "Weekly day off of the site's country; Saturday and Sunday where it is unknown"
        ),
        Column("is_month_start", pa.bool_(), "First day of a month"),
        Column("is_month_end", pa.bool_(), "Last day of a month"),
        Column("is_holiday", pa.bool_(), "Public holiday at the site: country and region"),
        Column("is_half_holiday", pa.bool_(), "Half day off, as on the eve (arife) of a religious holiday"),
        Column("is_religious_holiday", pa.bool_(), "Ramadan feast or feast of sacrifice, where it is a public holiday"),
        Column("holiday", pa.string(), "Names of the day's holidays and half holidays in English", nullable=True),
        Column("is_bridge_day", pa.bool_(), "Working day between two days off, at least one of them a public holiday"),
        Column("is_ramadan", pa.bool_(), "In the month of Ramadan, where Eid al-Fitr is a public holiday"),
        Column("days_to_holiday", pa.int32(), "Days until the next public holiday, 0 on one, at most 15", unit="d"),
        Column("days_since_holiday", pa.int32(), "Days since the last public holiday, 0 on one, at most 15", unit="d"),
        Column("event_kinds", pa.list_(pa.string()), "Kinds of the calendar events of the day, sorted"),
        Column("events", pa.list_(pa.string()), "Their names, sorted"),
    ),
    rules=(
        code_rule("site"),
        _DATE_IN_RANGE,
        Between(
            name="day_of_week_is_iso",
            column="day_of_week",
            low=1,
            high=7,
            reason="ISO 8601 counts Monday as 1 and Sunday as 7.",
        ),
    ),
    event_time="date",
    known_time="available_at",
)

# What the tables of a night's forecasts share.
METHOD = Column("method", pa.string(), "Champion, or the fallback that stood in for it")
NIGHT_MONTH = Column("night_month", pa.string(), "Month of the night, YYYY-MM; partition")
_QUANTILES = (
    Column("units_q10", pa.float64(), "Quantile 0.1 of the units", unit="piece"),
    Column("units_q50", pa.float64(), "Quantile 0.5 of the units", unit="piece"),
    Column("units_q90", pa.float64(), "Quantile 0.9 of the units", unit="piece"),
)
_QUANTILES_RIGHT = (
    Between(name="units_q10_not_negative", column="units_q10", low=0, reason="Demand is not negative."),
    Between(name="units_q90_finite", column="units_q90", low=0, reason="Demand is a finite number."),
    AtMost(name="q10_at_most_q50", lower="units_q10", upper="units_q50", reason="Quantiles do not cross."),
    AtMost(name="q50_at_most_q90", lower="units_q50", upper="units_q90", reason="Quantiles do not cross."),
)
_MADE_BY = (
    Column("fallback_reason", pa.string(), "Why a fallback stood in", nullable=True),
    Column("model_name", pa.string(), "Registered model", nullable=True),
    Column("model_version", pa.string(), "Its version", nullable=True),
)
DEMAND_FORECAST = Contract(
    name="demand_forecast",
    zone=Zone.GOLD,
    meaning="The demand forecast of every night: the days or weeks ahead of each product and site, with quantiles.",
    version="1.0.0",
    owner="data science",
    keys=("tenant", "night", "site", "product", "date"),
    columns=(
        Column("forecast_id", pa.string(), "Hash of the key and the run; the handle of `uretimiq trace`"),
        TENANT,
        Column("night", pa.date32(), "Last day whose data was used: the forecast begins the day after"),
        SITE,
        PRODUCT,
        Column("date", pa.date32(), "Day that is forecast, or the Monday that begins the week"),
        Column("period", pa.string(), "What is forecast: day or week"),
        Column("horizon", pa.int32(), "Periods ahead: days from the night, or weeks from the last whole one"),
        *_QUANTILES,
        Column("units_point", pa.float64(), "Point forecast: what adds up over products, sites and days", unit="piece"),
        Column(
            "units_hierarchy",
            pa.float64(),
            "Part of `units_q50` that forecasts of sums added",
            unit="piece",
            nullable=True,
        ),
        METHOD,
        *_MADE_BY,
        CUT_OFF,
        Column("table_versions", pa.string(), "Delta versions of the tables read, as JSON"),
        RUN_ID,
        AVAILABLE_AT,
        NIGHT_MONTH,
    ),
    rules=(
        *_CODES,
        Between(
            name="horizon_in_range",
            column="horizon",
            low=1,
            high=MAX_HORIZON,
            reason="A night forecasts the next 28 days or 13 weeks, or as far as its tenant's settings say.",
        ),
        OneOf(name="period_known", column="period", values=("day", "week"), reason="Models count in days or weeks."),
        *_QUANTILES_RIGHT,
        Between(
            name="units_point_finite", column="units_point", low=0, reason="Demand is a finite number, not negative."
        ),
    ),
    event_time="date",
    known_time="available_at",
    partitioned_by=("tenant", "night_month"),
)
DEMAND_FORECAST_SUMS = Contract(
    name="demand_forecast_sums",
    zone=Zone.GOLD,
    meaning="The demand forecast of every night, summed over the hierarchy and by day, week and month, with quantiles.",
    version="1.0.0",
    owner="data science",
    keys=(
        "tenant",
        "night",
        "period",
        "level",
        "site",
        "product_group",
        "product_sub_group",
        "product",
        "date",
    ),
    columns=(
        TENANT,
        Column("night", pa.date32(), "Last day whose data was used: the forecast begins the day after"),
        Column("period", pa.string(), "Day, week (ISO, from Monday) or month"),
        Column(
            "level",
            pa.string(),
            "Over what the sum goes: all of the tenant or of a site, by group, sub-group or product",
        ),
        Column("site", pa.string(), "Plant, warehouse or store; null where it is summed over", nullable=True),
        Column(
            "product_group",
            pa.string(),
            "Group of the products; null where it is summed over or not known",
            nullable=True,
        ),
        Column("product_sub_group", pa.string(), "Sub-group; null where it is summed over or not known", nullable=True),
        Column("product", pa.string(), "Product code; null where it is summed over", nullable=True),
        Column("date", pa.date32(), "First day of the period, also where it lies before the horizon"),
        Column(
            "days",
            pa.int32(),
            "Days of the period that lie in the horizon: only they are summed; weeks lie whole in the month of their Monday",
            unit="d",
        ),
        Column("units_point", pa.float64(), "Point forecast: exactly the sum of those of what it holds", unit="piece"),
        *_QUANTILES,
        Column("series", pa.int32(), "Series that it holds"),
        Column("series_by_fallback", pa.int32(), "Those of them that a fallback forecast"),
        Column("model_name", pa.string(), "Registered model by which errors go together"),
        Column("model_version", pa.string(), "Its version"),
        CUT_OFF,
        Column("table_versions", pa.string(), "Delta versions of the tables read, as JSON"),
        RUN_ID,
        AVAILABLE_AT,
        NIGHT_MONTH,
    ),
    rules=(
        OneOf(
            name="period_known",
            column="period",
            values=("day", "week", "month"),
            reason="Sums are made over these periods.",
        ),
        OneOf(
            name="level_known",
            column="level",
            values=(
                "site/product",
                "site",
                "site/group",
                "site/sub_group",
                "tenant",
                "tenant/group",
                "tenant/sub_group",
                "tenant/product",
            ),
            reason="The hierarchy has these levels.",
        ),
        Between(
            name="days_in_range", column="days", low=1, high=35, reason="A month has at most 31 days, or five Mondays."
        ),
        *_QUANTILES_RIGHT,
        Between(
            name="units_point_finite", column="units_point", low=0, reason="Demand is a finite number, not negative."
        ),
        AtMost(
            name="fallbacks_at_most_series",
            lower="series_by_fallback",
            upper="series",
            reason="A part is not more than the whole.",
        ),
    ),
    event_time="date",
    known_time="available_at",
    partitioned_by=("tenant", "night_month"),
)
DEMAND_SHADOW = replace(
    DEMAND_FORECAST,
    name="demand_shadow",
    meaning="What the challenger forecast beside the champion, as `demand_forecast`; never served.",
)
DEMAND_SCORES = Contract(
    name="demand_scores",
    zone=Zone.GOLD,
    meaning="What became of each night's forecast of each series, beside seasonal naive and the challenger.",
    version="1.0.0",
    owner="data science",
    keys=("tenant", "night", "days", "site", "product"),
    columns=(
        TENANT,
        Column("night", pa.date32(), "Night of the forecast"),
        Column("days", pa.int32(), "Days that are judged, from the night or its last whole week on: 7 or 28", unit="d"),
        SITE,
        PRODUCT,
        METHOD,
        Column("model_version", pa.string(), "Version that forecast", nullable=True),
        Column("challenger_version", pa.string(), "Version that forecast beside it", nullable=True),
        Column(
            "known_days",
            pa.int32(),
            "Days of those (of weeks: whole ones) whose units were known when it was judged",
            unit="d",
        ),
        Column("units", pa.float64(), "Units of those days", unit="piece"),
        Column("forecast_units", pa.float64(), "Median forecast of those days, summed up", unit="piece"),
        Column("absolute_error", pa.float64(), "Sum of the median's absolute errors", unit="piece"),
        Column("naive_absolute_error", pa.float64(), "The same of seasonal naive", unit="piece"),
        Column("challenger_absolute_error", pa.float64(), "The same of the challenger", unit="piece", nullable=True),
        Column(
            "value_added",
            pa.float64(),
            "Share of seasonal naive's absolute error that the forecast saves; below 0 it adds to it; null where that is 0",
            nullable=True,
        ),
        Column(
            "covered_days", pa.int32(), "Days (of weeks: whole ones) within the band from quantile 0.1 to 0.9", unit="d"
        ),
        Column("pinball", pa.float64(), "Mean pinball loss of the quantiles over the size of the series"),
        Column("naive_pinball", pa.float64(), "The same of seasonal naive"),
        Column("challenger_pinball", pa.float64(), "The same of the challenger", nullable=True),
        RUN_ID,
        AVAILABLE_AT,
        NIGHT_MONTH,
    ),
    rules=_CODES,
    known_time="available_at",
    partitioned_by=("tenant", "night_month"),
)
DEMAND_MONITOR = Contract(
    name="demand_monitor",
    zone=Zone.OPERATIONS,
    meaning="What is watched for drift, a number for each tenant, night and measure, and the evidence so far.",
    version="1.0.0",
    owner="data science",
    keys=("tenant", "night", "measure"),
    columns=(
        TENANT,
        Column("night", pa.date32(), "Night that the number is of; of a week the last one before the next is over"),
        Column("measure", pa.string(), "What is watched"),
        Column("value", pa.float64(), "Its number", nullable=True),
        Column(
            "chance", pa.float64(), "Share of such nights that would be as strange, were nothing new", nullable=True
        ),
        Column("evidence", pa.float64(), "Of a change so far: above 1 it speaks for one", nullable=True),
        Column("alarm", pa.bool_(), "Whether the evidence sufficed in this night"),
        RUN_ID,
        AVAILABLE_AT,
    ),
    known_time="available_at",
    partitioned_by=(),
)


def _pieces(name: str, meaning: str) -> Column:
    return Column(name, pa.float64(), meaning, unit="piece")


DEMAND_EXPLANATIONS = Contract(
    name="demand_explanations",
    zone=Zone.GOLD,
    meaning="Why each series' forecast of a night is what it is: drivers, nearest past cases, and what changed.",
    version="1.0.0",
    owner="data science",
    keys=("tenant", "night", "site", "product"),
    columns=(
        TENANT,
        Column("night", pa.date32(), "Night of the forecast"),
        SITE,
        PRODUCT,
        _pieces("units_q50", "Sum of the medians of all days (or weeks) ahead; the eight drivers below add up to it"),
        _pieces("units_level", "Mean of the last four weeks, for as many days (or weeks)"),
        _pieces("units_season", "Of it by weekdays and days of the month (not of weeks), and last year's weeks"),
        _pieces("units_trend", "Of it by the way of the latest weeks"),
        _pieces("units_price", "Of it by price and promotions of late"),
        _pieces("units_holiday", "Of it by holidays and other known events, beside ordinary days"),
        Column(
            "units_factor",
            pa.float64(),
            "Of it by numbers from outside: weather, prices of raw materials, exchange rates",
            unit="piece",
            nullable=True,
        ),
        Column(
            "units_hierarchy",
            pa.float64(),
            "Of it by forecasts of groups, sites and the whole, with which the series agree",
            unit="piece",
            nullable=True,
        ),
        _pieces("units_other", "Of it by nothing of these"),
        Column("by_day", pa.string(), "The drivers' pieces of each day (or week) ahead, as JSON"),
        Column("factors", pa.string(), "The pieces of each day (or week) ahead by factor, as JSON", nullable=True),
        Column("cases", pa.string(), "Nights most like this one, and the units of the four weeks after, as JSON"),
        Column(
            "night_before",
            pa.date32(),
            "Earlier night (of weeks: in the week before) that it is compared with",
            nullable=True,
        ),
        Column(
            "units_change",
            pa.float64(),
            "Beside it, of the days (or weeks) that both forecast",
            unit="piece",
            nullable=True,
        ),
        Column(
            "changes", pa.string(), "That change by driver, and whether the model is another, as JSON", nullable=True
        ),
        METHOD,
        *_MADE_BY,
        Column("text_tr", pa.string(), "All this in sentences, in Turkish"),
        Column("text_en", pa.string(), "The same in English"),
        RUN_ID,
        AVAILABLE_AT,
        NIGHT_MONTH,
    ),
    rules=(
        *_CODES,
        Between(name="units_q50_finite", column="units_q50", low=0, reason="Demand is a finite number, not negative."),
    ),
    event_time="night",
    known_time="available_at",
    partitioned_by=("tenant", "night_month"),
)
DEMAND_SERIES = Contract(
    name="demand_series",
    zone=Zone.GOLD,
    meaning="What was known of each series at the tenant's newest night: its product, its last two years, events around it.",
    version="1.1.0",
    owner="data science",
    keys=("tenant", "site", "product"),
    columns=(
        TENANT,
        Column("night", pa.date32(), "Last day whose data was used; a tenant has rows of one night alone"),
        SITE,
        PRODUCT,
        Column("product_name", pa.string(), "Name as the ERP writes it", nullable=True),
        Column("product_group", pa.string(), "Upper level of the hierarchy, as known", nullable=True),
        Column("product_sub_group", pa.string(), "Lower level of the hierarchy, as known", nullable=True),
        _number("unit_price", "Last known price", "currency/piece"),
        Column("currency", pa.string(), "ISO 4217 code of the prices of its site, as known", nullable=True),
        Column("period", pa.string(), "What its units are of: day or week"),
        Column("first_date", pa.date32(), "First of the days, or the Monday of the first of the weeks, of `units`"),
        Column(
            "units",
            pa.string(),
            "Units of each day or week from `first_date` to the night, two years at most, as a JSON list; null where unknown",
            unit="piece",
        ),
        Column(
            "events",
            pa.string(),
            "Holidays, promotions and calendar events of these years and of the days ahead, as JSON: date, kind, name",
        ),
        CUT_OFF,
        RUN_ID,
        AVAILABLE_AT,
    ),
    rules=(
        *_CODES,
        OneOf(name="period_known", column="period", values=("day", "week"), reason="Models count in days or weeks."),
        Between(
            name="unit_price_finite", column="unit_price", low=0, reason="A price is a finite number, not negative."
        ),
        Matches(
            name="units_is_a_list",
            column="units",
            pattern=r"\[[-+.,0-9eEnul]*\]",
            reason="What is no number in JSON is null, and a text that is cut off is no list.",
        ),
    ),
    event_time="night",
    known_time="available_at",
)
PROMOTIONS = Contract(
    name="promotions",
    zone=Zone.OPERATIONS,
    meaning="Every decision to promote or refuse a trained model, with its evidence.",
    version="1.0.0",
    owner="data science",
    keys=("run_id", "tenant", "model_name", "model_version"),
    columns=(
        RUN_ID,
        TENANT,
        Column("model_name", pa.string(), "Registered model"),
        Column("model_version", pa.string(), "Version that was judged"),
        Column("champion_version", pa.string(), "Champion at the time; null if there was none", nullable=True),
        Column("promoted", pa.bool_(), "Whether it became champion"),
        Column(
            "decision",
            pa.string(),
            "What it is from then on: champion, challenger, refused, kept (the champion stays) or rolled_back",
            nullable=True,
        ),
        Column("reason", pa.string(), "Why or why not, in one sentence"),
        Column("evidence", pa.string(), "Figures of candidate, champion and seasonal naive by fold, as JSON"),
        Column("decided_at", UTC_TIME, "When"),
    ),
    known_time="decided_at",
    partitioned_by=(),
)

TABLES = Catalogue(
    (
        SALES,
        PRODUCTION,
        DELIVERIES,
        PRODUCTS,
        SITES,
        CALENDAR_EVENTS,
        FACTORS,
        INGEST_LEDGER,
        QUARANTINE,
        PROGRESS,
        JOB_RUNS,
        CHECK_RESULTS,
        DEMAND_FEATURES,
        CALENDAR_FEATURES,
        DEMAND_FORECAST,
        DEMAND_SHADOW,
        DEMAND_SCORES,
        DEMAND_MONITOR,
        DEMAND_EXPLANATIONS,
        DEMAND_FORECAST_SUMS,
        DEMAND_SERIES,
        PROMOTIONS,
    )
)
