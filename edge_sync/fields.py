"""Reads a YAML mapping key by key: names an unknown key with a suggestion and a bad value with the value."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any

from edge_sync.errors import MapError

REQUIRED = object()


def suggest(name: str, known: Iterable[str]) -> str:
    """`; did you mean X?` if a known name is near, else the known names."""
    names = sorted(known)
    folded = {n.casefold(): n for n in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {folded[near[0]]!r}?"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"; there are: {shown}" if names else ""


class Fields:
    """The keys of one mapping; `where` is its place in the file, for messages. Call `done` after the last key."""

    def __init__(self, record: object, where: str) -> None:
        self.where = where
        if not isinstance(record, dict):
            raise MapError(f"{where}: {record!r} is no mapping of keys to values")
        for key in record:
            if not isinstance(key, str):
                raise MapError(f"{where}: the key {key!r} is no text; put it in quotes")
        self._record: dict[str, Any] = record
        self._asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        self._asked.add(key)
        return key in self._record

    def bad(self, key: str, remedy: str) -> MapError:
        return MapError(f"{self.where}: {key}: {self._record.get(key)!r} {remedy}")

    def raw(self, key: str, default: Any = None) -> Any:
        self._asked.add(key)
        if key in self._record:
            return self._record[key]
        if default is REQUIRED:
            raise MapError(f"{self.where}: {key} is missing")
        return default

    def read(self, key: str, parse: Callable[[Any], Any], default: Any = None) -> Any:
        """The value of `key` through `parse`, whose ValueError says what is expected; `default` where it is absent."""
        value = self.raw(key, default)
        if key not in self._record:
            return value
        try:
            return parse(value)
        except (ValueError, TypeError) as error:
            raise self.bad(key, str(error)) from None

    def done(self) -> None:
        for key in self._record:
            if key not in self._asked:
                raise MapError(f"{self.where}: unknown key {key!r}{suggest(key, self._asked)}")


def text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("is no text" + ("; put it in quotes" if isinstance(value, bool | int | float) else ""))
    return value


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false")
    return value


def count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("is no whole number from 0")
    return value


def number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is no number")
    return float(value)


def texts(value: Any) -> tuple[str, ...]:
    """One text or a list of them."""
    return tuple(text(v) for v in (value if isinstance(value, list) else [value]))


def one_of(*choices: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if value not in choices:
            raise ValueError(
                f"is none of {', '.join(choices)}" + (suggest(value, choices) if isinstance(value, str) else "")
            )
        return str(value)

    return parse
