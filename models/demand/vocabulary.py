"""The words that a model has learned: what turns names into numbers; a name that it has not met is unknown (-1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from models.demand.calendar import Calendar
from models.demand.origins import Origins

MAX_KINDS = 12
MAX_OCCASIONS = 60
# A tree splits a set of names as it likes: with more names than this it learns each by heart instead of what they share.
MAX_NAMES = 300


@dataclass(frozen=True)
class Vocabulary:
    """The names of each category, sorted; empty where there are too many to learn from."""

    sites: tuple[str, ...]
    products: tuple[str, ...]
    groups: tuple[str, ...]
    sub_groups: tuple[str, ...]
    levels: tuple[str, ...]
    kinds: tuple[str, ...]
    occasions: tuple[str, ...]
    factors: tuple[str, ...] = ()  # a model of before there were any knows none

    @classmethod
    def learn(cls, origins: Origins, calendar: Calendar) -> Vocabulary:
        kinds, occasions = calendar.counts()
        return cls(
            sites=_few(origins.site),
            products=_few(origins.product),
            groups=_few(origins.group),
            sub_groups=_few(origins.sub_group),
            levels=_few(origins.level),
            kinds=_frequent(kinds, MAX_KINDS),
            occasions=_frequent(occasions, MAX_OCCASIONS),
            factors=calendar.factors.names,
        )

    def to_dict(self) -> dict[str, list[str]]:
        return {name: list(words) for name, words in asdict(self).items()}

    @classmethod
    def from_dict(cls, words: dict[str, Any]) -> Vocabulary:
        return cls(**{name: tuple(values) for name, values in words.items()})


def _few(names: Iterable[str]) -> tuple[str, ...]:
    found = tuple(sorted(set(names) - {""}))
    return found if len(found) <= MAX_NAMES else ()


def _frequent(counts: Counter[str], limit: int) -> tuple[str, ...]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(sorted(name for name, _ in ranked[:limit]))
