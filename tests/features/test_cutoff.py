"""When a day's cut-off is."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from features.cutoff import cut_off, earliest_cut_off

#     day          time zone              06:00 of the next day there, in UTC
CUT_OFFS = """
    2026-01-31   UTC                    2026-02-01 06:00
    2026-01-31   Europe/Istanbul        2026-02-01 03:00
    2016-03-26   Europe/Istanbul        2016-03-27 03:00   clocks go forward that night
    2015-11-07   Europe/Istanbul        2015-11-08 04:00   and back
    2026-03-28   Europe/Berlin          2026-03-29 04:00   forward
    2026-03-27   Europe/Berlin          2026-03-28 05:00   the day before
    2026-10-24   Europe/Berlin          2026-10-25 05:00   back
    2026-10-23   Europe/Berlin          2026-10-24 04:00   the day before
    2026-07-01   America/Los_Angeles    2026-07-02 13:00
    2026-07-01   Asia/Dhaka             2026-07-02 00:00
    2026-07-01   Pacific/Kiritimati     2026-07-01 16:00   the first place on earth
    2026-12-31   Etc/GMT+12             2027-01-01 18:00   the last
"""
ROWS = [line.split()[:4] for line in CUT_OFFS.strip().splitlines()]


@pytest.mark.parametrize(("day", "zone", "utc_day", "utc_time"), ROWS)
def test_a_cut_off_is_six_in_the_morning_where_the_site_is(day: str, zone: str, utc_day: str, utc_time: str) -> None:
    assert cut_off(date.fromisoformat(day), zone) == datetime.fromisoformat(f"{utc_day} {utc_time}").replace(tzinfo=UTC)


@pytest.mark.parametrize(("day", "zone"), [row[:2] for row in ROWS])
def test_no_cut_off_is_before_the_earliest(day: str, zone: str) -> None:
    assert earliest_cut_off(date.fromisoformat(day)) <= cut_off(date.fromisoformat(day), zone)
