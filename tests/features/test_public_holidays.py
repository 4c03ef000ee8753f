"""The days off of countries, against what their governments published."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from features.public_holidays import PublicHolidays

FIXED_IN_TURKEY = {"01-01", "04-23", "05-01", "05-19", "07-15", "08-30", "10-29"}
#   year   Ramazan Bayramı   Kurban Bayramı    the eves (arife), from noon
FEASTS = {
    2024: ("04-10 04-12", "06-16 06-19", {"04-09", "06-15"}),
    2025: ("03-30 04-01", "06-06 06-09", {"03-29", "06-05"}),
    2026: ("03-20 03-22", "05-27 05-30", {"03-19", "05-26"}),
    2027: ("03-09 03-11", "05-16 05-19", {"03-08", "05-15"}),
}


def days_of(year: int) -> list[date]:
    return [date(year, 1, 1) + timedelta(days=n) for n in range((date(year + 1, 1, 1) - date(year, 1, 1)).days)]


def between(year: int, span: str) -> set[str]:
    first, last = (f"{year}-{end}" for end in span.split())
    return {f"{d:%m-%d}" for d in days_of(year) if first <= d.isoformat() <= last}


@pytest.mark.parametrize("year", FEASTS)
def test_turkish_holidays_move_with_the_moon(year: int) -> None:
    ramadan_feast, sacrifice, eves = FEASTS[year]
    turkey = PublicHolidays("TR")
    feasts = between(year, ramadan_feast) | between(year, sacrifice)
    assert {f"{d:%m-%d}" for d in days_of(year) if turkey.is_religious(d)} == feasts
    assert {f"{d:%m-%d}" for d in days_of(year) if turkey.is_holiday(d)} == feasts | FIXED_IN_TURKEY
    assert {f"{d:%m-%d}" for d in days_of(year) if turkey.is_half_holiday(d)} == eves | {"10-28"}


def test_a_day_of_two_holidays_has_both_names() -> None:
    names = PublicHolidays("TR").names(date(2027, 5, 19))
    assert names == ["Commemoration of Atatürk, Youth and Sports Day", "Eid al-Adha"]


#   country, first and last day of a Ramadan as announced there
RAMADANS = [("TR", "2024-03-11", "2024-04-09"), ("TR", "2025-03-01", "2025-03-29"), ("BD", "2023-03-24", "2023-04-21")]


@pytest.mark.parametrize(("country", "first", "last"), RAMADANS)
def test_ramadan_ends_on_the_eve_of_the_countrys_own_feast(country: str, first: str, last: str) -> None:
    days = [d for d in days_of(int(first[:4])) if PublicHolidays(country).is_ramadan(d)]
    assert (days[0].isoformat(), days[-1].isoformat()) == (first, last)
    assert len(days) == (days[-1] - days[0]).days + 1


@pytest.mark.parametrize("country", ["DE", "US", None, "XX"])
def test_ramadan_is_kept_where_its_feast_is_a_public_holiday(country: str | None) -> None:
    assert not any(PublicHolidays(country).is_ramadan(d) for d in days_of(2025))


def test_ramadan_beyond_the_hijri_tables_is_unknown() -> None:
    assert not PublicHolidays("TR").is_ramadan(date(2090, 6, 1))


#   country   a Friday       a Saturday    a Sunday   off?
WEEKENDS = [("TR", "no yes yes"), ("BD", "yes yes no"), ("US", "no yes yes"), ("IR", "yes no no"), (None, "no yes yes")]


@pytest.mark.parametrize(("country", "off"), WEEKENDS)
def test_a_weekend_is_the_countrys_own(country: str | None, off: str) -> None:
    days = (date(2023, 6, 9), date(2023, 6, 10), date(2023, 6, 11))
    assert ["yes" if PublicHolidays(country).is_weekend(d) else "no" for d in days] == off.split()


def test_a_weekend_day_that_is_worked_in_exchange_is_no_weekend() -> None:
    assert not PublicHolidays("CN").is_weekend(date(2024, 2, 4))


#   day           why
BRIDGES = [
    ("2026-01-02", True),
    ("2026-04-24", True),
    ("2026-05-18", True),
    ("2026-05-25", False),
    ("2026-03-19", False),
]


@pytest.mark.parametrize(("day", "bridge"), BRIDGES)
def test_a_bridge_day_has_a_day_off_on_either_side(day: str, bridge: bool) -> None:
    assert PublicHolidays("TR").is_bridge_day(date.fromisoformat(day)) is bridge


def test_a_regional_holiday_counts_in_its_region_alone() -> None:
    epiphany = date(2025, 1, 6)
    found = [PublicHolidays("DE", region).is_holiday(epiphany) for region in ("BY", "BE", None, "no such region")]
    assert found == [True, False, False, False]


#   a day off that was declared for one year, some of them days before
ONE_OFFS = [("BD", "2024-08-06"), ("GB", "2022-09-19"), ("TR", "1999-12-31"), ("US", "2025-01-09")]


@pytest.mark.parametrize(("country", "day"), ONE_OFFS)
def test_a_holiday_declared_for_one_year_was_not_known_beforehand(country: str, day: str) -> None:
    assert not PublicHolidays(country).is_holiday(date.fromisoformat(day))


def test_names_do_not_tell_that_a_date_is_estimated() -> None:
    assert PublicHolidays("DZ").names(date(2025, 3, 30)) == ["Eid al-Fitr"]


@pytest.mark.parametrize("country", [None, "XX"])
def test_an_unknown_country_has_no_holidays(country: str | None) -> None:
    holidays = PublicHolidays(country)
    assert not holidays.known
    assert not any(holidays.is_holiday(d) or holidays.is_half_holiday(d) or holidays.names(d) for d in days_of(2025))
