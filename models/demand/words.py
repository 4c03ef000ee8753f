"""An explanation in sentences for planners, in Turkish and English, made from its figures alone."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from models.demand.periods import DAY, PERIODS

LANGUAGES = ("tr", "en")
FILE = Path(__file__).with_name("phrases.toml")
TOLD = 0.01  # of the forecast: a driver below goes without saying
UNCHANGED = 0.005  # of the night before
REASONS = 2
REASON = 0.1  # of the change: a driver below is none of its reasons
FAR = 1.5  # standard deviations, as a mean over what is compared: nothing really like it was found


@cache
def phrases(language: str, period: str = DAY.name) -> dict[str, Any]:
    """Those of forecasts of days, and what is said otherwise of another period in place of them."""
    found: dict[str, Any] = tomllib.loads(FILE.read_text(encoding="utf-8"))[language]
    others = {name: found.pop(name) for name in PERIODS if name in found}
    return found | {section: found[section] | its for section, its in others.get(period, {}).items()}


def number(value: float, language: str, *, signed: bool = False) -> str:
    """As people of the language write it: one decimal below 10, none above."""
    digits = 1 if abs(value) < 9.95 and round(value, 1) != round(value) else 0
    sign = "+" if signed else "-"
    text = f"{round(value, digits) + 0.0:{sign},.{digits}f}"  # + 0.0: no minus before a zero
    marks = str.maketrans({",": phrases(language)["thousands"], ".": phrases(language)["decimal"], "-": "−"})
    return text.translate(marks)


def percent(share: float, language: str) -> str:
    return str(phrases(language)["percent"].format(number=number(100 * abs(share), language)))


def day(iso: str | date, language: str) -> str:
    when = iso if isinstance(iso, date) else date.fromisoformat(iso)
    return when.strftime(phrases(language)["date"])


def text(
    language: str,
    *,
    series: str,
    drivers: Mapping[str, float],
    factors: Mapping[str, float],
    periods: tuple[int, str],
    method: str,
    change: Mapping[str, Any] | None,
    cases: Sequence[Mapping[str, Any]],
) -> str:
    """The sentences of one series: what drives its forecast, what changed and why, and the nearest case.

    `drivers` are pieces by name, the level first; `factors` those of the driver "factor" by each one's own name; `periods` is a
    count and "day" or "week"; `change` is as `explain.changes` gives it.
    """
    said = [_fallback(method, language), _forecast(drivers, factors, periods, language)]
    if change:
        said.append(_change(change, language, periods[1]))
    if cases:
        said.append(_case(series, cases[0], language))
    return " ".join(s for s in said if s)


def _fallback(method: str, language: str) -> str:
    return str(phrases(language)["fallbacks"].get(method, ""))


def _driver(name: str, factors: Mapping[str, float], words: Mapping[str, Any]) -> str:
    """As people call it; factors by their own names, of which those that go the way of their sum, the greatest first."""
    way = 1 if sum(factors.values()) > 0 else -1
    those = sorted((f for f in factors if way * factors[f] > 0), key=lambda f: -abs(factors[f]))[:REASONS]
    return str(words["drivers"][name]).format(names=", ".join(those)).strip()


def _forecast(
    drivers: Mapping[str, float], factors: Mapping[str, float], periods: tuple[int, str], language: str
) -> str:
    count, unit = periods
    words = phrases(language, unit)
    total = sum(drivers.values())
    level, *others = drivers
    others = [d for d in others if abs(drivers[d]) >= TOLD * max(abs(total), 1e-9)]
    others.sort(key=lambda d: -abs(drivers[d]))
    parts = [f"{words['drivers'][level]} {number(drivers[level], language)}"]
    parts += [f"{_driver(d, factors, words)} {number(drivers[d], language, signed=True)}" for d in others]
    length = words["periods"][unit].format(n=count)
    filled = words["sentences"]["forecast"].format(
        periods=length, units=number(total, language), drivers=words["list"].join(parts)
    )
    return str(filled)


def _change(change: Mapping[str, Any], language: str, period: str) -> str:
    words = phrases(language, period)["sentences"]
    night = day(change["night"], language)
    share = change["share"]
    if share is None or abs(share) < UNCHANGED:
        return str(words["same"].format(night=night)) if change["units"] == 0 or share is not None else ""
    reasons = words["higher" if share > 0 else "lower"]
    listed = phrases(language)["list"].join(_reasons(change, language, period))
    return str(reasons.format(night=night, share=percent(share, language), reasons=listed))


def _reasons(change: Mapping[str, Any], language: str, period: str) -> list[str]:
    """Another model or method first: the drivers' differences then come from it. Then the greatest of these."""
    words, pieces = phrases(language, period), change["drivers"]
    found = []
    if change["method_changed"]:
        found.append(words["sentences"]["method"])
    elif change["model_changed"]:
        found.append(
            words["sentences"]["model"].format(before=change["model_version_before"], now=change["model_version"])
        )
    way = 1 if change["units"] > 0 else -1
    same_way = sorted(
        (d for d in pieces if way * pieces[d] >= REASON * abs(change["units"])), key=lambda d: -abs(pieces[d])
    )[:REASONS]
    for driver in same_way:
        of_it = words["sentences"]["new_figures"] if driver == "level" and not found else ""
        name = f"{_driver(driver, change['factors'], words)} {number(pieces[driver], language, signed=True)}"
        found.append(f"{name} ({of_it})" if of_it else name)
    return found


def _case(series: str, case: Mapping[str, Any], language: str) -> str:
    words = phrases(language)["sentences"]
    which = "case" if case["series"] == series else "case_of_other"
    told = words[which].format(
        night=day(case["night"], language), units=number(case["units"], language), series=case["series"]
    )
    return f"{words['unlike']} {told}" if case["distance"] > FAR else str(told)
