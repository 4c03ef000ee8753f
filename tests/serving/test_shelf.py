"""Nights in memory: bounded, the last used stay, each is read once."""

import threading
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from serving.nights import MAPPED_BYTES, Night, NightKey, Shelf, Summary

SUMMARY = Summary(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC), "day", None, None)
EMPTY = pa.table({name: pa.nulls(0) for name in ("site", "product", "first_date", "last_date", "periods", "offset")})


def night(tenant, size):
    """A night that takes `size` bytes."""
    return Night(
        NightKey(tenant, date(2026, 3, 1), ("r",)), pa.table({"x": pa.nulls(size, pa.uint8())}), EMPTY, SUMMARY
    )


def put(shelf, tenant, size=100):
    return shelf.get(night(tenant, size).key, lambda: night(tenant, size))


@pytest.fixture
def size():
    return night("a", 100).bytes


def test_a_night_takes_the_bytes_of_its_tables_and_a_mapped_one_next_to_none():
    rows, key = pa.table({"x": pa.array([1, 2, 3], pa.int64())}), night("a", 1).key

    assert Night(key, rows, EMPTY, SUMMARY).bytes == 24
    assert Night.mapped(key, rows, EMPTY, SUMMARY).bytes == MAPPED_BYTES


def test_the_night_used_longest_ago_gives_way(size):
    shelf = Shelf(2 * size)
    for tenant in ("a", "b", "a", "c"):
        put(shelf, tenant)

    held = [tenant for tenant in "abc" if shelf.find(night(tenant, 100).key)]

    assert held == ["a", "c"]
    assert shelf.bytes == 2 * size


def test_a_night_too_large_is_given_and_not_kept_and_drives_nothing_out(size):
    shelf = Shelf(size)
    put(shelf, "a")

    assert put(shelf, "big", 10_000).bytes > size
    assert shelf.find(night("a", 100).key)
    assert shelf.bytes == size


def test_a_night_that_many_ask_for_is_read_once():
    shelf, reads, together = Shelf(10**6), [], threading.Barrier(8)

    def read():
        reads.append(1)
        return night("a", 100)

    def ask():
        together.wait(10)
        shelf.get(night("a", 100).key, read)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(reads) == 1


def test_a_night_whose_reading_failed_is_read_again():
    shelf = Shelf(10**6)
    with pytest.raises(OSError, match="away"):
        shelf.get(night("a", 100).key, lambda: (_ for _ in ()).throw(OSError("away")))

    assert put(shelf, "a").key.tenant == "a"
