"""Series by what people call them."""

from __future__ import annotations

import unicodedata
from functools import cached_property

from serving.nights import NightKey
from serving.totals import NightTotals

ENTRY_BYTES = 250  # memory of one series' texts, measured
_ONE_I = str.maketrans("İIı", "iii")  # Turkish has two letters of which other keyboards have one


def fold(text: str) -> str:
    """The letters alone, by which a search finds what is written with or without dots, tails and capitals.

    >>> fold("İĞNE Işıldağı"), fold("igne isildagi")
    ('igne isildagi', 'igne isildagi')
    """
    plain = unicodedata.normalize("NFKD", text.translate(_ONE_I))
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()


class Names:
    """By what the series of a night are found, in their order: their groups, and their codes and names."""

    def __init__(self, totals: NightTotals) -> None:
        self.key: NightKey = totals.key
        self._codes: list[str] = totals.rows["product"].to_pylist()
        self._names: list[str | None] = totals.rows["name"].to_pylist()
        self._groups: list[str | None] = totals.rows["product_group"].to_pylist()
        self.bytes = ENTRY_BYTES * len(self._codes)

    @cached_property
    def _texts(self) -> list[str]:
        """Of each series, folded; a product is at many sites."""
        pairs = list(zip(self._codes, self._names, strict=True))
        folded = {pair: fold(f"{pair[0]} {pair[1] or ''}") for pair in set(pairs)}
        return [folded[pair] for pair in pairs]

    def choose(self, among: list[int], words: str, groups: list[str]) -> list[int]:
        """Those of the positions `among` whose code or name has all of the `words`, and whose group is one of `groups`.

        No words and no groups mean all.
        """
        if groups:
            wanted = set(groups)
            among = [i for i in among if self._groups[i] in wanted]
        if folded := fold(words).split():
            texts = self._texts
            among = [i for i in among if all(word in texts[i] for word in folded)]
        return among
