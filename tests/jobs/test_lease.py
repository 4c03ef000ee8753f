"""One writer: a second holder is refused while the first lives, and let in when it has died."""

from __future__ import annotations

import subprocess
import sys

import pytest

from jobs.lease import LeaseTaken, lease

HOLDER = """
import sys
from dataclasses import replace
from pathlib import Path
from expectations.settings import load
from jobs.lease import lease
with lease(replace(load({}), home=Path(sys.argv[1])), "job-x"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(lake_settings):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lake_settings.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_holder_is_refused_by_name_and_process(lake_settings, holder):
    with (
        pytest.raises(LeaseTaken, match=f"job-x is being written by process {holder.pid}"),
        lease(lake_settings, "job-x"),
    ):
        pass


def test_another_lease_is_free(lake_settings, holder):
    with lease(lake_settings, "job-y"):
        pass


def test_a_killed_holder_loses_its_lease(lake_settings, holder):
    holder.kill()
    holder.wait()
    with lease(lake_settings, "job-x"):
        pass
