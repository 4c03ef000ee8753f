"""The supervised frame: a row is an origin and a horizon, with what was known at the origin's cut-off alone.

It has no size: every number in pieces is divided by the series' scale, and so is the target, so that one model
learns from all series of a tenant.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from models.demand import factors
from models.demand.arrays import Floats, Ints, Singles, codes, divide, nan_mean
from models.demand.calendar import DISTANCES, FLAGS, Calendar
from models.demand.origins import PURE, UNITS, Origins
from models.demand.periods import DAY, Period
from models.demand.vocabulary import Vocabulary

RECENT_LAGS = 7
ORIGIN_COLUMNS = (
    *(f"{name}/scale" for name in UNITS),
    *PURE,
    *(f"lag_{k}/scale" for k in range(RECENT_LAGS)),
    "log_scale",
)
USUAL = "same_weekday_mean/scale"
WEEKDAY_COLUMNS = (*(f"same_weekday_{w}/scale" for w in range(1, 5)), USUAL, "same_weekday_share")
YEAR_COLUMNS = ("last_year_week/scale", "last_year_week_share", "last_year_to_next_week")
# No day of the year and no month: two years show each of them twice, and what a model learns there is those two days
# by heart. The yearly season comes in by the weeks of last year.
DAY_COLUMNS = ("horizon", "day_of_month", "days_to_month_end")
CATEGORIES = ("site", "product", "group", "sub_group", "level", "weekday", "occasion", "occasion_week_before")
CLIP = 50.0  # times the scale: beyond lies a series that has just begun again


@dataclass(frozen=True)
class Frame:
    """`x` is (n, columns) float32 with NaN for unknown; `origin` and `horizon` tell where each row comes from."""

    x: Singles
    names: tuple[str, ...]
    origin: Ints
    horizon: Ints

    @property
    def categories(self) -> list[int]:
        return [self.names.index(name) for name in CATEGORIES]

    def column(self, name: str) -> Singles:
        return self.x[:, self.names.index(name)]


def column_names(words: Vocabulary) -> tuple[str, ...]:
    """The columns of the frame of a model that knows `words`."""
    return (
        *ORIGIN_COLUMNS,
        *WEEKDAY_COLUMNS,
        *YEAR_COLUMNS,
        *DAY_COLUMNS,
        *FLAGS,
        *DISTANCES,
        "holidays_in_same_weekdays",
        *(f"kind_{k}" for k in words.kinds),
        *(f"kind_{k}_in_same_weekdays" for k in words.kinds),
        *factors.column_names(words.factors),
        *CATEGORIES,
    )


def build(origins: Origins, calendar: Calendar, words: Vocabulary, origin: Ints, horizon: Ints) -> Frame:
    """The rows (`origin`, `horizon`): positions in `origins`, periods ahead from 1 on; both (n,)."""
    by_origin = _origin_numbers(origins)[origin]
    season = origins.period.season
    week, weekday = (horizon - 1) // season, (horizon - 1) % season
    parts = [
        by_origin,
        _weekday_numbers(origins, origin, weekday),
        _year_numbers(origins, origin, week),
        _day_numbers(origins.period, origins.day[origin] + horizon, horizon),
        *_calendar_numbers(origins, calendar, words, origin, horizon),
    ]
    return Frame(np.concatenate(parts, axis=1, dtype=np.float32), column_names(words), origin, horizon)


def build_all(origins: Origins, calendar: Calendar, words: Vocabulary, horizon: int) -> Frame:
    """All periods ahead of every origin, origin by origin."""
    n = len(origins)
    origin = np.repeat(np.arange(n), horizon)
    return build(origins, calendar, words, origin, np.tile(np.arange(1, horizon + 1), n))


def _origin_numbers(origins: Origins) -> Floats:
    scale = origins.scale[:, None]
    scaled = np.clip(np.concatenate([origins.units, origins.lags[:, :RECENT_LAGS]], axis=1) / scale, None, CLIP)
    split = len(UNITS)
    pure = origins.pure.copy()
    pure[:, PURE.index("days_since_first")] = np.minimum(origins.pure_column("days_since_first"), 730)
    pure[:, PURE.index("days_since_last_sale")] = np.minimum(origins.pure_column("days_since_last_sale"), 182)
    return np.concatenate([scaled[:, :split], pure, scaled[:, split:], np.log(scale)], axis=1)


def _weekday_numbers(origins: Origins, origin: Ints, weekday: Ints) -> Floats:
    scale = origins.scale[origin]
    last = np.clip(origins.weekdays[origin, weekday] / scale[:, None], None, CLIP)
    mean = np.clip(origins.weekday_mean[origin, weekday] / scale, None, CLIP)
    own = nan_mean(origins.lags)[origin] / scale
    share = divide(mean, own)
    return np.column_stack([last, mean, share])


def _year_numbers(origins: Origins, origin: Ints, week: Ints) -> Floats:
    """The same week a year ago: its size now, its part of those four weeks, and how the year before went on."""
    weeks = origins.year[origin]
    then = weeks[np.arange(len(week)), np.minimum(week, weeks.shape[1] - 1)]
    month = nan_mean(weeks)
    share = divide(then, month)
    first = weeks[:, 0]
    onward = divide(then, first)
    scaled = then / origins.scale[origin]
    return np.asarray(np.clip(np.column_stack([scaled, share, onward]), None, CLIP))


def _day_numbers(period: Period, target: Ints, horizon: Ints) -> Floats:
    if period != DAY:
        return np.column_stack([horizon, np.zeros(len(horizon)), np.zeros(len(horizon))]).astype(float)
    dates = target.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    month_day = (dates - months.astype("datetime64[D]")).astype(int) + 1
    to_end = ((months + 1).astype("datetime64[D]") - dates).astype(int) - 1
    return np.column_stack([horizon, month_day, to_end]).astype(float)


def _calendar_numbers(
    origins: Origins, calendar: Calendar, words: Vocabulary, origin: Ints, horizon: Ints
) -> tuple[Floats, ...]:
    site = codes(origins.site, calendar.sites)[origin]
    day, cut_off = origins.day[origin], origins.cut_off[origin]
    target = day + horizon
    row = calendar.find(site, target, cut_off)
    numbers = np.where((row >= 0)[:, None], calendar.numbers[row], np.nan) if len(calendar.day) else _unknown(len(row))
    holiday = FLAGS.index("is_holiday")
    season = origins.period.season
    back = season * ((horizon - 1) // season + 1)  # from the target to its weekday's last known value
    seen = [calendar.find(site, target - back - season * w, cut_off) for w in range(4)]
    before = [
        np.where(r >= 0, calendar.numbers[r, holiday], 0.0) if len(calendar.day) else np.zeros(len(r)) for r in seen
    ]
    kind_of_day, occasion_of_day = _words_by_row(calendar, words)
    kinds = kind_of_day[row]  # the last row of both is the unknown day: index -1
    # what the same weekdays had: their mean is another with a campaign in it
    kinds_before = np.mean([kind_of_day[r] for r in seen], axis=0)
    categories = np.column_stack(
        [
            codes(origins.site, words.sites)[origin],
            codes(origins.product, words.products)[origin],
            codes(origins.group, words.groups)[origin],
            codes(origins.sub_group, words.sub_groups)[origin],
            codes(origins.level, words.levels)[origin],
            (target + 3) % season,  # 1970-01-01 was a Thursday: Monday is 0
            occasion_of_day[row],
            occasion_of_day[seen[0]],
        ]
    ).astype(float)
    outside = calendar.factors.numbers(words.factors, origins.site[origin], day, cut_off, horizon, origins.period)
    known = np.where(categories < 0, np.nan, categories)
    return numbers, np.sum(before, axis=0)[:, None], kinds, kinds_before, outside, known


def _unknown(n: int) -> Floats:
    return np.full((n, len(FLAGS) + len(DISTANCES)), np.nan)


def _words_by_row(calendar: Calendar, words: Vocabulary) -> tuple[Floats, Ints]:
    """For each calendar row, and one more for an unknown day: how much it has of each kind, and its occasion's code."""
    n = len(calendar.day)
    kinds = np.zeros((n + 1, len(words.kinds)))
    at = codes(np.array(words.kinds, dtype=object), calendar.kinds)
    kinds[:n, at >= 0] = calendar.kind_share[:, at[at >= 0]]
    of_occasion = codes(np.array([*calendar.occasions, ""], dtype=object), words.occasions)
    return kinds, of_occasion[np.append(calendar.occasion, -1)]


def digest(*arrays: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> str:
    """SHA-256 of shapes and bytes: two frames with the same digest are the same bit for bit."""
    state = hashlib.sha256()
    for array in arrays:
        # NaN has many bit patterns, and arithmetic may pick any: one stands for all
        clean = np.where(np.isnan(array), np.nan, array) if array.dtype.kind == "f" else array
        state.update(f"{clean.dtype.str}{clean.shape}".encode())
        state.update(np.ascontiguousarray(clean).tobytes())
    return state.hexdigest()
