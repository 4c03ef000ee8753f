"""Nights laid in files: made once for all processes, whole or not at all, bounded, and gone without harm."""

import os
import threading
import time
from datetime import date, timedelta

import pyarrow as pa
import pytest

from serving import laid
from serving.laid import LaidFolder
from serving.rows import tables_of

FORECASTS = "/v1/tenants/acme/forecasts"
TABLE = pa.table({"n": pa.array(range(1000), pa.int64()), "s": pa.array(["ş"] * 1000).dictionary_encode()})


@pytest.fixture
def place(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def folder(place):
    return LaidFolder(place)


def files(place):
    return sorted(place.glob("*.arrow"))


def never():
    raise AssertionError("made again")


def cache_of(plant):
    return plant.settings.home / "cache" / "nights"


def test_what_one_process_has_laid_another_maps(place, folder):
    folder.get(("a",), lambda: (TABLE, TABLE.slice(0, 3)))

    tables, is_mapped = LaidFolder(place).get(("a",), never)

    assert is_mapped
    assert [t.num_rows for t in tables] == [1000, 3]
    assert tables[0].equals(TABLE)


def test_mapping_takes_no_memory_of_arrows_own(folder):
    folder.get(("a",), lambda: (TABLE,))
    before = pa.total_allocated_bytes()

    tables, _ = folder.get(("a",), never)

    assert tables[0].nbytes > 8000
    assert pa.total_allocated_bytes() - before < 2000


def test_another_name_is_another_file(folder):
    folder.get(("a",), lambda: (TABLE,))

    assert folder.get(("b",), lambda: (TABLE.slice(0, 1),))[0][0].num_rows == 1


def test_many_who_want_it_at_once_make_it_once(folder):
    made, together = [], threading.Barrier(6)

    def make():
        made.append(1)
        return (TABLE,)

    def ask():
        together.wait(10)
        folder.get(("a",), make)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(made) == 1


def test_an_interrupted_file_is_not_served_and_is_written_over(place, folder):
    folder.get(("a",), lambda: (TABLE,))
    whole = files(place)[0]
    whole.rename(whole.with_suffix(".new"))
    os.truncate(whole.with_suffix(".new"), 100)

    tables, _ = folder.get(("a",), lambda: (TABLE,))

    assert tables[0].equals(TABLE)
    assert not whole.with_suffix(".new").exists()


def test_an_interrupted_file_that_nobody_asks_for_again_goes_after_an_hour(place, folder):
    place.mkdir()
    for name, age in (("old.new", 3700), ("under-way.new", 10)):
        (place / name).touch()
        os.utime(place / name, (time.time() - age,) * 2)

    folder.get(("a",), lambda: (TABLE,))

    assert [path.name for path in place.glob("*.new")] == ["under-way.new"]


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda _: b"no Arrow at all",
        lambda content: content[:-8],
        lambda content: content[:5000] + content[-8:],
        lambda content: flipped(content, 4000),  # a number of a row
        lambda content: flipped(content, len(content) - 1),
    ],
)
def test_a_spoilt_file_is_made_anew(place, folder, spoil):
    folder.get(("a",), lambda: (TABLE,))
    files(place)[0].write_bytes(spoil(files(place)[0].read_bytes()))

    assert folder.get(("a",), lambda: (TABLE,))[0][0].equals(TABLE)


def test_two_who_lay_a_night_without_a_lock_do_not_write_into_each_others_file(place, folder):
    folder.get(("a",), lambda: (TABLE,))
    whole = files(place)[0]
    whole.unlink()

    with whole.with_suffix(".new").open("wb") as other:
        tables, _ = folder.get(("a",), lambda: (TABLE,))
        other.write(b"of the other" * 1000)

    assert tables[0].equals(TABLE)


def test_a_file_system_without_locks_is_laid_on_all_the_same(folder, monkeypatch):
    monkeypatch.setattr(laid.fcntl, "flock", lambda *_: (_ for _ in ()).throw(OSError(37, "No locks available")))

    assert folder.get(("a",), lambda: (TABLE,))[1]


def test_a_folder_in_a_files_place_is_answered_from_memory_and_stops_nothing(place, folder):
    folder.get(("a",), lambda: (TABLE,))
    taken = files(place)[0]
    taken.unlink()
    taken.mkdir()

    assert folder.get(("a",), lambda: (TABLE,)) == ((TABLE,), False)
    assert LaidFolder(place, 1).get(("b",), lambda: (TABLE,))[1]


def test_those_opened_longest_ago_are_deleted_above_the_bound(place):
    LaidFolder(place).get(("size",), lambda: (TABLE,))
    size = files(place)[0].stat().st_size
    files(place)[0].unlink()
    folder = LaidFolder(place, 2 * size)
    for age, name in ((30, "a"), (20, "b")):
        folder.get((name,), lambda: (TABLE,))
        newest = max(files(place), key=lambda p: p.stat().st_mtime)
        os.utime(newest, (time.time() - age,) * 2)
    held, _ = folder.get(("a",), never)  # opened now

    folder.get(("c",), lambda: (TABLE,))

    assert len(files(place)) == 2
    assert folder.get(("a",), never)[1]
    assert folder.get(("c",), never)[1]
    assert held[0].equals(TABLE)


def test_a_file_larger_than_the_bound_is_still_given(place):
    assert LaidFolder(place, 10).get(("a",), lambda: (TABLE,))[0][0].equals(TABLE)


def test_where_the_disk_takes_nothing_it_is_given_from_memory(place):
    place.write_text("a file where the folder would be")

    tables, is_mapped = LaidFolder(place).get(("a",), lambda: (TABLE,))

    assert tables[0] is TABLE
    assert not is_mapped


def test_a_disk_that_is_full_leaves_no_half_file(place, folder, monkeypatch):
    monkeypatch.setattr(laid.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))

    tables, is_mapped = folder.get(("a",), lambda: (TABLE,))

    assert (tables[0] is TABLE, is_mapped) == (True, False)
    assert [path.suffix for path in place.iterdir()] == [".lock"]


def test_nobody_else_may_read_what_is_laid(place, folder):
    folder.get(("a",), lambda: (TABLE,))

    assert files(place)[0].stat().st_mode & 0o077 == 0
    assert place.stat().st_mode & 0o077 == 0


def test_a_night_is_answered_alike_from_the_lake_and_from_its_file(plant, make_api):
    plant.night(series=[("ankara", 'P "1"\n'), ("bursa", "Ş\\2")])
    first, second = (make_api(plant.settings).get(FORECASTS) for _ in range(2))

    assert first.json()["forecasts"][0]["product"] == 'P "1"\n'
    assert first.content == second.content
    assert len(files(cache_of(plant))) == 1


def test_the_folder_may_be_deleted_at_any_time(plant, api, make_api):
    plant.night()
    before = api.rows()
    for path in cache_of(plant).iterdir():
        path.unlink()
    cache_of(plant).rmdir()

    assert api.rows() == before
    assert make_api(plant.settings).rows() == before


def laying(api):
    return api.app.state.laying


def test_the_newest_nights_are_laid_before_anybody_asks(plant, api):
    plant.night("acme")
    plant.night("other", date(2026, 2, 1))

    laying(api).look()

    assert len(files(cache_of(plant))) == 2


def test_a_new_night_is_laid_at_the_next_look_and_nothing_else(plant, api):
    plant.night("acme")
    plant.night("other")
    looks = laying(api)
    looks.look()
    for path in files(cache_of(plant)):
        path.unlink()

    plant.night("acme", date(2026, 3, 1) + timedelta(days=1))
    api.clock.later()
    looks.look()

    assert len(files(cache_of(plant))) == 1


def test_nothing_is_laid_where_there_is_no_night_yet(plant, api):
    laying(api).look()

    assert not cache_of(plant).exists()


def test_another_tenants_night_does_not_make_this_ones_be_looked_for_again(plant, api, monkeypatch):
    plant.night("acme")
    api.rows()
    plant.night("other")
    api.clock.later()
    asked = []
    monkeypatch.setattr("serving.forecasts.files_of", lambda *given: asked.append(given))

    api.rows()

    assert asked == []


def test_a_look_that_finds_nothing_new_reads_no_night(plant, api, monkeypatch):
    plant.night()
    laying(api).look()
    monkeypatch.setattr("serving.forecasts.Forecasts.night", never)

    laying(api).look()


def test_a_running_server_lays_the_nights_by_itself(plant, api):
    plant.night()

    with api:
        deadline = time.monotonic() + 20
        while not files(cache_of(plant)):
            assert time.monotonic() < deadline


def test_a_night_that_a_request_reads_goes_before_those_that_nobody_asks_for(plant, api, monkeypatch):
    plant.night("acme")
    plant.night("other")
    looks, read, begun, go_on = laying(api), [], threading.Event(), threading.Event()

    def slowly(lake, snapshot, key):
        if key.tenant == "other":
            begun.set()
            go_on.wait(10)
        read.append(key.tenant)
        return tables_of(lake, snapshot, key)

    class Waits(threading.Event):
        def wait(self, timeout=None):
            go_on.set()
            request.join(10)
            return self.is_set()

    monkeypatch.setattr("serving.forecasts.tables_of", slowly)
    monkeypatch.setattr(looks, "_stop", Waits())
    request = threading.Thread(target=api.get, args=("/v1/tenants/other/forecasts",))
    request.start()
    begun.wait(10)

    looks.look()

    go_on.set()
    request.join(10)
    assert read == ["other", "acme"]
