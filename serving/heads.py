"""How the answers of a night begin: which night it is, how old, by which model; the same as headers."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

from serving.forecasts import Found
from serving.nights import H


def head_of(found: Found[H], now: datetime) -> dict[str, Any]:
    """The first members of an answer from the night `found`."""
    key, summary = found.night.key, found.night.summary
    failed = found.runs.failed_since(key.tenant, key.night)
    newer = failed and {"night": failed["date"], **{k: failed[k] for k in ("job", "status", "reason")}}
    return {
        "tenant": key.tenant,
        "night": key.night,
        "cut_off": summary.cut_off,
        "available_at": summary.available_at,
        "age_seconds": int((now - summary.available_at).total_seconds()),
        "age_days": (now.date() - key.night).days,
        "period": summary.period,
        "model_name": summary.model_name,
        "model_version": summary.model_version,
        "newer_night": newer,
    }


def headers_of(head: dict[str, Any], next_page: str | None) -> dict[str, str]:
    """Night and age once more, for those who read CSV or only the headers."""
    headers = {"Cache-Control": "no-cache", "Vary": "Accept"}
    if head:
        headers["Uretimiq-Night"] = head["night"].isoformat()
        headers["Uretimiq-Cut-Off"] = head["cut_off"].strftime("%Y-%m-%dT%H:%M:%SZ")
        headers["Uretimiq-Age-Seconds"] = str(head["age_seconds"])
        headers["Uretimiq-Age-Days"] = str(head["age_days"])
        headers["Uretimiq-Model-Version"] = quote(head["model_version"] or "")
    if next_page:
        headers["Link"] = f'<{next_page}>; rel="next"'
    return headers
