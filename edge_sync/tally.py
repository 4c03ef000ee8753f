"""What an import counts, so that a person can check it against the file: every row read is landed, filtered or blank."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field

from edge_sync.errors import SourceError

FIRST_PLACES = 5
# So many filled cells of a column and not one readable: the map is wrong, not the rows.
_HOPELESS = 20


@dataclass(frozen=True)
class Place:
    """A cell that could not be read. `row` counts as a spreadsheet does, from 1."""

    row: int
    column: str
    text: str


@dataclass
class Tally:
    """Counts of one file. `landed` can exceed `read` in the wide form, where a row holds several facts."""

    read: int = 0
    blank: int = 0
    filtered: int = 0
    empty: int = 0
    ragged: int = 0
    landed: int = 0
    merged: int = 0  # rows added to another row of their key
    filled: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)  # column -> the first text that could not be read
    places: list[Place] = field(default_factory=list)

    def check_map(self) -> None:
        """Raises SourceError if of some column nothing at all could be read."""
        for column, unread in self.unread.items():
            if unread == self.filled[column] >= _HOPELESS:
                raise SourceError(
                    f"none of {unread} values for {column!r} could be read, first {self.first[column]!r};"
                    " check decimal, thousands, date_formats and values in the map"
                )

    def record(self) -> dict[str, object]:
        counts = asdict(self)
        del counts["filled"], counts["first"]
        return {**counts, "unread": dict(self.unread)}
