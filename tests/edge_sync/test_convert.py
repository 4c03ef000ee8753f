"""What a cell's text becomes, in every notation; what is none of it becomes null and is never guessed."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from edge_sync.convert import convert, day_start
from edge_sync.errors import SourceError
from edge_sync.filemap import Notation
from edge_sync.mapvalues import duration
from expectations.contract import UTC_TIME

ISTANBUL = ZoneInfo("Europe/Istanbul")


def converted(text: str, kind: pa.DataType, **notation) -> object:
    made = Notation(**{"time_zone": ISTANBUL, "times_in": ISTANBUL, **notation})
    cells = pa.array([text])
    return convert(cells, cells, kind, made)[0].as_py()


POINT = {"decimal": ".", "thousands": None}
TURKISH = {"decimal": ",", "thousands": "."}
COMMA = {"decimal": ",", "thousands": None}
ENGLISH = {"decimal": ".", "thousands": ","}
SPACED = {"decimal": ",", "thousands": " "}


@pytest.mark.parametrize(
    ("text", "notation", "number"),
    [
        ("abc", POINT, None),
        ("1,5", POINT, None),
        ("1.5", TURKISH, None),  # a dot that does not group by three is a decimal point of another notation
        ("12.34", TURKISH, None),
        ("1.2345", TURKISH, None),
        ("1.234", COMMA, None),
        ("1,234.5", TURKISH, None),
        ("1.23.456", TURKISH, None),
        (".", POINT, None),
        ("-", POINT, None),
        ("--5", POINT, None),
        ("-5-", POINT, None),
        ("5 adet", POINT, None),
        ("nan", POINT, None),
        ("inf", POINT, None),
        ("0x10", POINT, None),
        ("1e", POINT, None),
        ("٣", POINT, None),
        ("1.5", POINT, 1.5),
        ("-1.5", POINT, -1.5),
        ("+2", POINT, 2.0),
        ("5-", POINT, -5.0),
        (".5", POINT, 0.5),
        ("5.", POINT, 5.0),
        ("1e3", POINT, 1000.0),
        ("1,5E-3", TURKISH, 0.0015),
        ("1.234", TURKISH, 1234.0),
        ("1.234.567,89", TURKISH, 1234567.89),
        ("1234567,89", TURKISH, 1234567.89),
        ("-12,5", COMMA, -12.5),
        ("1,234.5", ENGLISH, 1234.5),
        ("1 234,5", SPACED, 1234.5),
        ("1\u00a0234,5", SPACED, 1234.5),
        ("1\u202f234.567", SPACED, None),
    ],
)
def test_numbers(text, notation, number) -> None:
    assert converted(text, pa.float64(), **notation) == number


@pytest.mark.parametrize(("text", "whole"), [("5", 5), ("5,0", 5), ("5,5", None), ("1e10", None), ("x", None)])
def test_whole_numbers(text, whole) -> None:
    assert converted(text, pa.int32(), **COMMA) == whole


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("evet", True), ("EVET", True), ("1", True), ("True", True), ("yes", True),
        ("hayır", False), ("HAYIR", False), ("Hayir", False), ("0", False), ("no", False),
        ("belki", None), ("2", None), ("", None),
    ],
)  # fmt: skip
def test_truth(text, truth) -> None:
    assert converted(text, pa.bool_()) is truth


GERMAN = {"date_formats": ("%d.%m.%Y", "%d.%m.%Y %H:%M")}


@pytest.mark.parametrize(
    ("text", "notation", "day"),
    [
        ("31.02.2024", GERMAN, None),
        ("2024/01/05", GERMAN, None),
        ("01/05/2024", {}, None),
        ("20240105", {}, None),
        ("2024-1-5", {}, None),
        ("05.01.2024 25:00", GERMAN, None),
        ("0001-01-01T00:00+05:00", {}, None),
        ("05.01.2024", GERMAN, date(2024, 1, 5)),
        ("5.1.2024", GERMAN, date(2024, 1, 5)),
        ("2024-01-05", GERMAN, date(2024, 1, 5)),
        ("20240105", {"date_formats": ("%Y%m%d",)}, date(2024, 1, 5)),
        # A time is brought to the site: half past ten in the evening in UTC is the next day in Istanbul.
        ("2024-01-05T22:30:00Z", {}, date(2024, 1, 6)),
        ("2024-01-05 22:30", {"times_in": ZoneInfo("UTC")}, date(2024, 1, 6)),
        ("2024-01-05 22:30", {}, date(2024, 1, 5)),
        ("05.01.2024 22:30", {**GERMAN, "times_in": ZoneInfo("UTC")}, date(2024, 1, 6)),
        # A date alone is a day, wherever times are written.
        ("2024-01-05", {"times_in": ZoneInfo("America/New_York")}, date(2024, 1, 5)),
    ],
)
def test_days_at_the_site(text, notation, day) -> None:
    assert converted(text, pa.date32(), **notation) == day


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-07-01 09:00", datetime(2024, 7, 1, 6, 0, tzinfo=UTC)),
        ("2024-07-01T09:00:00+02:00", datetime(2024, 7, 1, 7, 0, tzinfo=UTC)),
        ("2024-07-01", datetime(2024, 6, 30, 21, 0, tzinfo=UTC)),
        ("gestern", None),
    ],
)
def test_moments(text, moment) -> None:
    assert converted(text, UTC_TIME) == moment


def test_a_typed_time_of_another_zone_is_brought_to_the_site() -> None:
    cells = pa.array([datetime(2024, 1, 5, 22, 30)], pa.timestamp("ns", tz="UTC"))
    notation = Notation(time_zone=ISTANBUL, times_in=ISTANBUL)
    assert convert(cells, cells.cast(pa.string()), pa.date32(), notation)[0].as_py() == date(2024, 1, 6)


@pytest.mark.parametrize(
    ("zone", "day", "lag", "moment"),
    [
        ("Europe/Istanbul", date(2024, 1, 5), "P1D", datetime(2024, 1, 5, 21, 0, tzinfo=UTC)),
        ("Europe/Istanbul", date(2024, 1, 5), "PT6H", datetime(2024, 1, 5, 3, 0, tzinfo=UTC)),
        ("Europe/Istanbul", date(2024, 1, 5), "-P365D", datetime(2023, 1, 4, 21, 0, tzinfo=UTC)),
        # By the clock on the wall: a day of 23 hours is a day.
        ("Europe/Berlin", date(2024, 3, 31), "P1D", datetime(2024, 3, 31, 22, 0, tzinfo=UTC)),
        ("Europe/Berlin", date(2024, 10, 27), "P1D", datetime(2024, 10, 27, 23, 0, tzinfo=UTC)),
        # Midnight itself was skipped in Santiago: the day began at one.
        ("America/Santiago", date(2023, 9, 2), "P1D", datetime(2023, 9, 3, 4, 0, tzinfo=UTC)),
    ],
)
def test_a_lag_counts_from_the_local_start_of_the_day(zone, day, lag, moment) -> None:
    assert day_start(pa.array([day]), duration(lag), ZoneInfo(zone))[0].as_py() == moment


def test_cells_through_the_whole_import(column) -> None:
    assert column("units", ["1.234,5", "", "7"], "decimal: ','\nthousands: '.'") == [1234.5, None, 7.0]
    assert column("promotion", ["evet", "HAYIR", ""]) == [True, False, None]


def test_values_of_the_map_replace_texts_before_they_are_read(gateway) -> None:
    made = (
        "decimal: ','\ncolumns: {site: {constant: g}, product: {constant: A}, date: tarih,"
        " units: {from: miktar, values: {yok: 0, yarım: 0.5, 7: 70}}, promotion: {from: k, values: {E: true, H: false}}}"
    )
    text = 'tarih|miktar|k\n2024-01-01|yok|E\n2024-01-02|yarım|H\n2024-01-03|7|evet\n2024-01-04|"8,5"|\n'
    table = gateway.landed(text, f"delimiter: '|'\n{made}")
    assert table["units"].to_pylist() == [0.0, 0.5, 70.0, 8.5]
    assert table["promotion"].to_pylist() == [True, False, True, None]


def test_a_constant_that_is_not_of_the_columns_type_is_told(gateway) -> None:
    made = "columns: {site: {constant: g}, product: urun, date: {constant: gestern}, units: {constant: 1}}"
    with pytest.raises(SourceError, match="constant 'gestern' is no date32"):
        gateway.run("urun\nA\n", made)


# ------------------------------------------------------------------ known time


def known(gateway, entry: str, extra: str = "") -> list[str]:
    table = gateway.landed(
        "tarih,urun,miktar,k\n2024-01-05,A,1,05.01.2024 18:30\n", f"{entry}\n{extra}\n{gateway_columns()}"
    )
    return [t.astimezone(UTC).isoformat() for t in table["available_at"].to_pylist()]


def gateway_columns() -> str:
    return "columns: {site: {constant: gebze}, product: urun, date: tarih, units: miktar}"


@pytest.mark.parametrize(
    ("entry", "moment", "declared"),
    [
        ("", "2024-05-06T07:08:09+00:00", "observed"),
        ("known_time: {lag: P1D}", "2024-01-05T21:00:00+00:00", "declared"),
        ("known_time: {at: 2024-02-01}", "2024-01-31T21:00:00+00:00", "declared"),
        ("known_time: {at: 2024-02-01T00:00:00Z}", "2024-02-01T00:00:00+00:00", "declared"),
        ("known_time: {at: '2024-02-01T06:00'}", "2024-02-01T03:00:00+00:00", "declared"),
        ("known_time: {column: k}\ndate_formats: '%d.%m.%Y %H:%M'", "2024-01-05T15:30:00+00:00", "declared"),
    ],
)
def test_known_time(gateway, entry, moment, declared) -> None:
    assert known(gateway, entry) == [moment]
    [(manifest, _)] = gateway.pairs()
    assert manifest.known_time == declared
