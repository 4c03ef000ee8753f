"""Finds and reads why a series' forecast is what it is, for a night that is served."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from expectations.tables import DEMAND_EXPLANATIONS
from serving.forecasts import Forecasts, Found
from serving.lake import AnswerError, Lake, NotThereError, Snapshot
from serving.nights import Night

_ONE = """
    SELECT * FROM files WHERE tenant = $tenant AND night = $night AND site = $site AND product = $product
        AND available_at >= $published
"""
_DRIVERS = [c.name for c in DEMAND_EXPLANATIONS.columns if c.name.startswith("units_")]
NOT_DRIVERS = ("units_q50", "units_change")
PLAIN = ("site", "product", "units_q50", "night_before", "units_change")
WHENCE = ("method", "fallback_reason", "model_name", "model_version")


class UnknownExplanationError(AnswerError):
    """The night has no explanation of the series: it was not forecast, or not explained since it was written."""

    kind = "unknown-explanation"

    def __init__(self, tenant: str, night: date, site: str, product: str) -> None:
        super().__init__(
            f"'{tenant}' has no explanation of {site}/{product} in the night of {night}: take the series from "
            f"/v1/tenants/{tenant}/series; if it is there, run `uretimiq run explain-demand --date {night}`"
        )


class Explanations:
    """Reads `demand_explanations`; which night is served, `forecasts` says."""

    def __init__(self, lake: Lake, forecasts: Forecasts) -> None:
        self._lake = lake
        self._forecasts = forecasts
        self._table = lake.table(DEMAND_EXPLANATIONS)

    def one(self, tenant: str, site: str, product: str, night: date | None) -> tuple[Found[Night], dict[str, Any]]:
        """The night that is served, and the explanation of a series in it.

        Raises UnknownExplanationError, and what `Forecasts.night` raises.
        """
        found = self._forecasts.night(tenant, night)
        of = found.night.key.night
        params: dict[str, object] = {"tenant": tenant, "night": of, "site": site, "product": product}
        # of an older writing of the night it would explain other numbers
        params["published"] = found.night.summary.available_at

        def work(snapshot: Snapshot) -> list[dict[str, Any]]:
            files = snapshot.dataset([("tenant", "=", tenant), ("night_month", "=", of.strftime("%Y-%m"))])
            return self._lake.query(_ONE, params, files=files).to_pylist()

        try:
            rows = self._lake.read(self._table, work)
        except NotThereError:
            rows = []
        if not rows:
            raise UnknownExplanationError(tenant, of, site, product)
        return found, _answer(rows[0])


def _answer(row: dict[str, Any]) -> dict[str, Any]:
    # an explanation of before there was a driver tells nothing of it
    drivers = {n.removeprefix("units_"): row.get(n) or 0.0 for n in _DRIVERS if n not in NOT_DRIVERS}
    by_day = json.loads(row["by_day"])
    nothing = [0.0] * len(by_day["level"])
    changes = json.loads(row["changes"]) if row["changes"] else None
    if changes:
        changes = {"factors": {}} | changes | {"drivers": dict.fromkeys(drivers, 0.0) | changes["drivers"]}
    return {
        **{name: row[name] for name in PLAIN},
        "drivers": drivers,
        "by_day": dict.fromkeys(drivers, nothing) | by_day,
        "factors": json.loads(row.get("factors") or "{}"),
        "cases": json.loads(row["cases"]),
        "changes": changes,
        **{name: row[name] for name in WHENCE},
        "text": {"tr": row["text_tr"], "en": row["text_en"]},
    }
