"""Shows what the API answers, for a terminal."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import date
from typing import Any
from urllib.parse import quote, urlencode

WIDTH = 40  # characters of the widest bar
DAYS = 14
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class ApiError(RuntimeError):
    """The API gave no answer to show; the message is one line."""


def get(url: str, key: str, seconds: float = 30) -> Any:
    """The JSON of our own API, for one of its keys. Raises ApiError."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})  # noqa: S310 - http, our own
    try:
        with opener.open(asked, timeout=seconds) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        try:
            told = json.loads(error.read())["detail"]
        except (ValueError, KeyError):
            told = error.reason
        raise ApiError(f"{url}: {error.code}: {told}") from None
    except OSError as error:
        raise ApiError(f"{url}: {error}; see `make status`") from None


def champion(api: str, key: str, tenant: str) -> str | None:
    """Version of the tenant's champion; None if it has none."""
    champions = get(f"{api}/v1/status?{urlencode({'tenant': tenant})}", key)["champions"] or []
    return next((str(c["model_version"]) for c in champions), None)


def bar(low: float, middle: float, high: float, most: float) -> str:
    """The span from low to high as a line, with a mark at the middle; `most` is the right edge.

    >>> bar(1, 2, 4, 8)
    '     ─────█──────────'
    """
    left, mark, right = (round(WIDTH * value / most) if most else 0 for value in (low, middle, high))
    return "".join("█" if i == mark else "─" for i in range(left, right + 1)).rjust(right + 1)


def lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """One line a day of a series' forecast: day, three quantiles, bar."""
    most = max(row["units_q90"] for row in rows)
    made = [f"       {'day':14} {'10 %':>7} {'middle':>7} {'90 %':>7}"]
    for row in rows:
        day = date.fromisoformat(row["date"])
        figures = (row["units_q10"], row["units_q50"], row["units_q90"])
        numbers = " ".join(f"{value:7.0f}" for value in figures)
        made.append(f"       {day} {WEEKDAYS[day.weekday()]} {numbers}  {bar(*figures, most)}")
    return made


def forecast(api: str, key: str, tenant: str) -> str:
    """Print the forecast of one series of the tenant; returns the id of its first day's. Raises ApiError."""
    base = f"{api}/v1/tenants/{quote(tenant)}"
    series = get(f"{base}/series?limit=1000", key)
    chosen = next((s for s in series["series"] if s.get("method") not in (None, "seasonal_naive")), series["series"][0])
    query = urlencode({"site": chosen["site"], "product": chosen["product"], "limit": DAYS})
    address = f"{base}/forecasts?{query}"
    page = get(address, key)
    rows = page["forecasts"]
    model = f"{page['model_name']} version {page['model_version']}" if page["model_name"] else "fallbacks alone"
    print(f"       GET {address}")
    print(f"       night {page['night']}, {series['total']} series, {model}")
    print(
        f"       site {chosen['site']}, product {chosen['product']}: units a {page['period']}, by {rows[0]['method']}\n"
    )
    print("\n".join(lines(rows)), flush=True)
    return str(rows[0]["forecast_id"])
