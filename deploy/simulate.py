"""Writes what the simulated plant's ERP would export, in the shapes that Turkish ERPs export.

Sales as CSV in Windows-1254 with semicolons and decimal commas, and files of corrections; production as a wide CSV
with a column a day; deliveries as Parquet; product cards as an Excel sheet with a title. Some sales rows are wrong,
so that the quarantine has something to show. The weather and its forecasts come as a weather service would tell them. The
first run writes the history, a run on a later day what is new.

    python -m deploy.simulate FOLDER [--last-day 2026-01-31]
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import yaml

from deploy import plant

TENANT = "demo-plant"
SITE = plant.SITES[0]  # where its gateway stands
MAPS = Path(__file__).with_name("simulated_plant")
TIME_ZONE = ZoneInfo("Europe/Istanbul")
QUARTERS = 10  # of history before the present one
TURKISH = "windows-1254"
CORRECTED_AFTER = timedelta(days=4)


def yesterday(now: datetime) -> date:
    """The last whole day at the plant."""
    return now.astimezone(TIME_ZONE).date() - timedelta(days=1)


def first_day(last: date) -> date:
    """The first day of a history that ends on `last`: the begin of a quarter."""
    quarter = pd.Timestamp(last).to_period("Q") - QUARTERS
    return quarter.start_time.date()


def _number(value: float, digits: int = 2) -> str:
    """1234.5 as 1.234,50."""
    return f"{value:,.{digits}f}".translate(str.maketrans(",.", ".,"))


def _quarters(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The rows of each quarter, with its first and last day as a part of the file's name."""
    return [
        (f"{part['date'].min():%Y%m%d}-{part['date'].max():%Y%m%d}", part)
        for _, part in rows.groupby(rows["date"].dt.to_period("Q"))
    ]


def _write_csv(rows: pd.DataFrame, path: Path, encoding: str = TURKISH) -> None:
    rows.to_csv(path, sep=";", index=False, encoding=encoding, lineterminator="\r\n")


def _as_sales_export(rows: pd.DataFrame) -> pd.DataFrame:
    names = {p.code: p.name for p in plant.PRODUCTS}
    return pd.DataFrame(
        {
            "Tarih": rows["date"].dt.strftime("%d.%m.%Y"),
            "Tesis": rows["site"],
            "Stok Kodu": rows["product"],
            "Stok Adı": rows["product"].map(names),
            "Miktar": rows["units"].map(_number),
            "Birim Fiyat": rows["unit_price"].map(_number),
            "Kampanya": rows["promotion"].map({True: "E", False: "H"}),
            "Kayıt Zamanı": rows["recorded"].dt.strftime("%d.%m.%Y %H:%M"),
        }
    )


def _picked(rows: pd.DataFrame, purpose: int, share: float) -> pd.DataFrame:
    """One row of some of the days, the same ones whatever the period."""
    rows = rows[rows["product"] != plant.PRODUCTS[-1].code]  # the product that is always new would move the choice
    chosen = []
    for day, part in rows.groupby("date"):
        lucky, which = np.random.default_rng([plant.SEED, purpose, cast("pd.Timestamp", day).toordinal()]).random(2)
        if lucky < share:
            chosen.append(part.iloc[[int(which * len(part))]])
    return pd.concat(chosen) if chosen else rows.iloc[:0]


def _sales_rows(first: date, last: date) -> pd.DataFrame:
    rows = plant.table("orders", first, last)
    return rows.assign(recorded=rows["date"] + pd.Timedelta("23h30min"))


def _worded(rows: pd.DataFrame) -> pd.DataFrame:
    return _picked(rows, 3, 0.008)


def sales_export(first: date, last: date) -> pd.DataFrame:
    """The rows of the sales export, and `date`.

    Some are wrong: a return booked as a negative order, an order without a product, a quantity with a word in it.
    """
    rows = _sales_rows(first, last)
    export = _as_sales_export(rows)
    worded, returned, nameless = _worded(rows), _picked(rows, 1, 0.010), _picked(rows, 2, 0.006)
    export.loc[worded.index, "Miktar"] = [f"{n:.0f} koli" for n in worded["units"]]
    parts = [
        export.assign(date=rows["date"]),
        _as_sales_export(returned.assign(units=-returned["units"])).assign(date=returned["date"]),
        _as_sales_export(nameless).assign(date=nameless["date"], **{"Stok Kodu": ""}),
    ]
    return pd.concat(parts, ignore_index=True)


def corrections(first: date, last: date, history: date) -> pd.DataFrame:
    """The corrections recorded from `first` to `last` of days since `history`, four days after the day itself.

    Corrected are the quantities with a word in them, and some that were merely miscounted.
    """
    rows = _sales_rows(max(history, first - CORRECTED_AFTER), last)
    miscounted = _picked(rows, 4, 0.05)
    corrected = pd.concat([_worded(rows), miscounted.assign(units=np.ceil(miscounted["units"] * 0.8))])
    corrected["recorded"] = corrected["date"] + pd.Timedelta(CORRECTED_AFTER) + pd.Timedelta("9h12min")
    corrected = corrected.drop_duplicates(["date", "site", "product"], keep="first")
    recorded = corrected["recorded"].dt.date
    return corrected[(recorded >= first) & (recorded <= last)].sort_values(["recorded", "site", "product"])


def _sales(folder: Path, first: date, last: date, history: date) -> list[str]:
    names = []
    for days, part in _quarters(sales_export(first, last)):
        names.append(f"satis_{days}.csv")
        _write_csv(part.drop(columns="date"), folder / names[-1])
    corrected = corrections(first, last, history)
    if len(corrected):
        names.append(f"satis_duzeltme_{last:%Y%m%d}.csv")
        _write_csv(_as_sales_export(corrected), folder / names[-1])
    return names


def _production(folder: Path, first: date, last: date, _history: date) -> list[str]:
    rows = plant.table("made", first, last)
    names = []
    for days, part in _quarters(rows):
        cells = (
            part["units"]
            .map(lambda n: _number(n, 0))
            .set_axis(pd.MultiIndex.from_frame(part[["site", "product", "date"]]))
        )
        wide = cells.unstack("date").rename(columns=lambda day: f"{day:%d.%m.%Y}").reset_index()  # noqa: PD010 - of a series
        names.append(f"uretim_{days}.csv")
        _write_csv(wide.rename(columns={"site": "Tesis", "product": "Stok Kodu"}), folder / names[-1], "utf-8-sig")
    return names


def _deliveries(folder: Path, first: date, last: date, _history: date) -> list[str]:
    rows = plant.table("delivered", first, last)
    names = []
    for days, part in _quarters(rows):
        names.append(f"sevkiyat_{days}.parquet")
        renamed = {"site": "tesis", "product": "stok_kodu", "units": "adet"}
        part.assign(tarih=part["date"].dt.date).drop(columns="date").rename(columns=renamed).to_parquet(
            folder / names[-1], index=False
        )
    return names


def _products(folder: Path, _first: date, _last: date, _history: date) -> list[str]:
    from openpyxl import Workbook

    path = folder / "stok_kartlari.xlsx"
    if not path.exists():  # an Excel file holds the moment of its writing: written again it would be another file
        sheet = (book := Workbook()).worksheets[0]
        sheet.append(["SİMÜLE FABRİKA - Stok kartları (simulated)"])
        sheet.append([])
        sheet.append(["Stok Kodu", "Stok Adı", "Grup", "Alt Grup"])
        for p in plant.PRODUCTS:
            sheet.append([p.code, p.name, p.group, p.sub_group])
        book.save(path)
    return [path.name]


def _sites(folder: Path, _first: date, _last: date, _history: date) -> list[str]:
    rows = [(SITE, "İzmir deposu (simulated)"), (plant.SITES[1], "Ankara deposu (simulated)")]
    _write_csv(pd.DataFrame(rows, columns=["Tesis", "Ad"]), folder / "tesisler.csv")
    return ["tesisler.csv"]


def _events(folder: Path, _first: date, last: date, history: date) -> list[str]:
    rows = plant.events(history, last)
    export = pd.DataFrame(
        {
            "Tarih": rows["date"].dt.strftime("%d.%m.%Y"),
            "Olay": rows["event"],
            "Tür": rows["kind"],
            "Duyuru": rows["announced"].dt.strftime("%d.%m.%Y"),
        }
    )
    _write_csv(export, folder / "takvim.csv")
    return ["takvim.csv"]


def _weather(folder: Path, first: date, last: date, history: date) -> list[str]:
    """The first time from a year before on, beside which the weather of the first days is held."""
    rows = plant.weather(first - timedelta(days=364) if first == history else first, last)
    export = pd.DataFrame(
        {
            "Söylendi": rows["told"].dt.strftime("%d.%m.%Y %H:%M"),
            "Tesis": rows["site"],
            "Gün": rows["date"].dt.strftime("%d.%m.%Y"),
            "Sıcaklık": rows["temperature"].map(lambda t: _number(t, 1)),
        }
    )
    name = f"hava_{first:%Y%m%d}-{last:%Y%m%d}.csv"
    _write_csv(export, folder / name)
    return [name]


EXPORTS: dict[str, Callable[[Path, date, date, date], list[str]]] = {
    "sites": _sites,
    "products": _products,
    "calendar_events": _events,
    "factors": _weather,
    "sales": _sales,
    "production": _production,
    "deliveries": _deliveries,
}


def _exported(folder: Path) -> tuple[dict[str, list[str]], date | None, date | None]:
    """What was written before: files by contract, first and last day; none in a new folder."""
    if not (folder / "set.yaml").exists():
        return {}, None, None
    known = yaml.safe_load((folder / "set.yaml").read_text(encoding="utf-8"))
    first, last = (date.fromisoformat(day) for day in known["about"].split()[-3::2])  # "... FIRST to LAST"
    return {entry["contract"]: entry["files"] for entry in known["imports"]}, first, last


def write_exports(folder: Path, last: date) -> Path:
    """Write what is not yet in `folder` of the exports up to the day `last`, and their maps.

    Returns the set for `uretimiq-edge import-set`. A file once written is not written again, but the calendar: like
    an ERP, the plant exports a day once, and a later correction in a file of its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files, history, until = _exported(folder)
    path = folder / "set.yaml"
    if until is not None and until >= last:
        return path
    history = history or first_day(last)
    first = until + timedelta(days=1) if until else history
    imports: list[dict[str, object]] = []
    for contract, write in EXPORTS.items():
        shutil.copyfile(MAPS / f"{contract}.yaml", folder / f"{contract}.yaml")
        new = write(folder, first, last, history)
        names = list(dict.fromkeys([*files.get(contract, []), *new]))
        imports.append({"contract": contract, "map": f"{contract}.yaml", "files": names})
    about = f"Exports of a simulated plant, no company's data: {history} to {last}"
    record = {"about": about, "site": SITE, "imports": imports}
    path.write_text(yaml.safe_dump(record, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the ERP exports of the simulated plant.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--last-day", type=date.fromisoformat, help="last day of the data; default: yesterday")
    asked = parser.parse_args()
    path = write_exports(asked.folder, asked.last_day or yesterday(datetime.now(TIME_ZONE)))
    print(f"simulated exports and their maps: {path}")


if __name__ == "__main__":
    main()
