"""How a night is answered: its head and headers, as a page of JSON or as a whole table, or that nothing has changed.

An ETag is made from what the answer comes from (the runs that wrote the night, the query), before any of it is read: who
has it already is told so in a tenth of the time. It is weak, since `age_seconds` moves on in an answer that is otherwise the
same; the header Uretimiq-Age-Seconds tells it anew.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any
from urllib.parse import quote

import pyarrow as pa
from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from expectations.contract import Contract
from serving.forecasts import Found
from serving.nights import H
from serving.render import ARROW, CSV, arrow_pieces, csv_pieces

ENDINGS = {"csv": "csv", "arrow": "arrows"}
UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "As the caller has it (If-None-Match)"}}
MOVES = {"age_seconds", "now"}  # the members of an answer that change though nothing has


def head_of(found: Found[H], now: datetime) -> dict[str, Any]:
    """Which night is answered, how old it is, and what has failed since."""
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


def steady(content: Any) -> Any:
    """`content` without what changes though nothing has: what an ETag is made from where all of it is read anyway."""
    if isinstance(content, dict):
        return {name: steady(value) for name, value in content.items() if name not in MOVES}
    return [steady(value) for value in content] if isinstance(content, list) else content


def is_known(request: Request, tag: str) -> bool:
    """Whether the caller has what `tag` names: If-None-Match of RFC 9110, which compares weakly."""
    given = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
    return bool(given & {"*", tag.removeprefix("W/")})


class Reply:
    """An answer in the making: to `request`, beginning with `head`, made from `source`, such as the runs of the night.

    What else decides what is answered (the format by the Accept header, a table's version) belongs to `source` too.
    """

    def __init__(self, request: Request, head: dict[str, Any], *source: object) -> None:
        self.head = head
        stays = [value for name, value in head.items() if name not in MOVES]
        asked = repr((request.url.path, request.url.query, stays, source))
        self.tag = f'W/"{hashlib.blake2b(asked.encode(), digest_size=12).hexdigest()}"'
        self.is_known = is_known(request, self.tag)  # then `unchanged` is the answer

    def unchanged(self) -> Response:
        """The caller has it."""
        return Response(status_code=304, headers=self._headers())

    def json(self, content: bytes, next_page: str | None = None) -> Response:
        """JSON that is made already."""
        headers = self._headers()
        if next_page:
            headers["Link"] = f'<{next_page}>; rel="next"'
        return Response(content, media_type="application/json", headers=headers)

    def table(self, rows: pa.Table, contract: Contract, form: str, name: str, bom: bool = False) -> StreamingResponse:
        """`rows`, columns of `contract`, whole: as a file `name` of CSV or of Arrow's stream format."""
        headers = self._headers()
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(f'{name}.{ENDINGS[form]}')}"
        pieces = arrow_pieces(rows, contract) if form == "arrow" else csv_pieces(rows, bom)
        return StreamingResponse(pieces, media_type=ARROW if form == "arrow" else CSV, headers=headers)

    def file(self, content: bytes, media_type: str, name: str) -> Response:
        """A whole file of that name."""
        headers = self._headers() | {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
        return Response(content, media_type=media_type, headers=headers)

    def _headers(self) -> dict[str, str]:
        """Tag, night and age, for those who read CSV or only the headers."""
        headers, head = {"Cache-Control": "private, no-cache", "Vary": "Accept", "ETag": self.tag}, self.head
        if "night" in head:
            headers["Uretimiq-Night"] = head["night"].isoformat()
            headers["Uretimiq-Cut-Off"] = head["cut_off"].strftime("%Y-%m-%dT%H:%M:%SZ")
            headers["Uretimiq-Age-Seconds"] = str(head["age_seconds"])
            headers["Uretimiq-Age-Days"] = str(head["age_days"])
            headers["Uretimiq-Model-Version"] = quote(head["model_version"] or "")
        return headers
