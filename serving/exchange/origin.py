"""What a workbook tells of where it came from, on its hidden sheet: which plan it is of, and what it showed.

By what it showed an edit is told from what was there, and a cell that others have changed since from one that they have not.
The server's signature makes sure that the sheet is as it was written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from serving.identity.secret import Secret
from serving.problems import Problem

DECIMALS = 4  # of what a workbook shows: what differs by less is the same
_FORM = 1  # of the hidden sheet; another one is of another version of this program
_STRANGE = "the workbook was not written here, or its hidden sheet was changed: export the plan again and edit that"


@dataclass(frozen=True)
class Origin:
    """Which plan a workbook is of. `shown` are its finals by site and product, at each of `dates`."""

    tenant: str
    night: date
    plan_version: int
    dates: tuple[date, ...]
    shown: dict[tuple[str, str], list[float | None]] = field(default_factory=dict)


def rounded(value: float) -> float:
    """The units as a workbook shows them."""
    return round(value, DECIMALS)


class Seal:
    """Makes the texts of the hidden sheet, and adds them up for the signature."""

    def __init__(self, origin: Origin) -> None:
        told = [_FORM, origin.tenant, origin.night.isoformat(), origin.plan_version]
        self.head = json.dumps([*told, [day.isoformat() for day in origin.dates]], ensure_ascii=False)
        self._sum = hashlib.sha256()
        self._take(self.head)

    def add(self, site: str, product: str, final: Sequence[float | None]) -> tuple[str, str, str]:
        """The cells of a series."""
        texts = site, product, json.dumps(final)
        for text in texts:
            self._take(text)
        return texts

    def sign(self, secret: Secret) -> str:
        """The last cell: the signature over all before."""
        return secret.sign(self._sum.digest())

    def _take(self, text: str) -> None:
        self._sum.update(len(text).to_bytes(4) + text.encode())


def opened(rows: Iterable[Sequence[Any]], tenant: str, secret: Secret) -> Origin:
    """The origin that the rows of a hidden sheet tell, of `tenant` alone. Raises Problem."""
    try:
        texts = [tuple(value for value in row if value is not None) for row in rows]
        (head,), *lines, (signature,) = (row for row in texts if row)
        total = hashlib.sha256()
        for text in (head, *(text for line in lines for text in line)):
            total.update(len(text).to_bytes(4) + text.encode())
        if not secret.has_signed(total.digest(), signature):
            raise Problem("workbook-refused", _STRANGE)
        form, of, night, version, dates = json.loads(head)
        shown = {(site, product): json.loads(final) for site, product, final in lines}
    except (ValueError, TypeError, AttributeError) as error:
        raise Problem("workbook-refused", _STRANGE) from error
    if form != _FORM or of != tenant:  # whose it is, is not told
        raise Problem("workbook-refused", f"the workbook is no plan of '{tenant}': export its plan and edit that")
    days = tuple(map(date.fromisoformat, dates))
    return Origin(of, date.fromisoformat(night), version, days, shown)
