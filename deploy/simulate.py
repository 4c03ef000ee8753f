"""Writes what the simulated plant's ERP would export, in the shapes that Turkish ERPs export.

Sales as CSV in Windows-1254 with semicolons and decimal commas, one file a quarter, and a file of corrections;
production as a wide CSV with a column a day; deliveries as Parquet; product cards as an Excel sheet with a title.
Some sales rows are wrong, so that the quarantine has something to show.

    python -m deploy.simulate FOLDER [--last-day 2026-01-31]
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
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


def yesterday(now: datetime) -> date:
    """The last whole day at the plant."""
    return now.astimezone(TIME_ZONE).date() - timedelta(days=1)


def first_day(last: date) -> date:
    """The first day of the history: the begin of a quarter, so that most files stay as they are from day to day."""
    quarter = pd.Timestamp(last).to_period("Q") - QUARTERS
    return quarter.start_time.date()


def _number(value: float, digits: int = 2) -> str:
    """1234.5 as 1.234,50."""
    return f"{value:,.{digits}f}".translate(str.maketrans(",.", ".,"))


def _quarters(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(f"{q.year}_C{q.quarter}", part) for q, part in rows.groupby(rows["date"].dt.to_period("Q"))]


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
        lucky, which = np.random.default_rng([plant.SEED, purpose, day.toordinal()]).random(2)
        if lucky < share:
            chosen.append(part.iloc[[int(which * len(part))]])
    return pd.concat(chosen) if chosen else rows.iloc[:0]


def sales_with_mistakes(first: date, last: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of the sales export, some wrong, and the rows of the corrections that were recorded by `last`.

    Wrong are: a return booked as a negative order, an order without a product, a quantity with a word in it. The
    last one is corrected four days later, as are some quantities that were merely miscounted.
    """
    rows = plant.table("orders", first, last)
    rows["recorded"] = rows["date"] + pd.Timedelta("23h30min")
    export = _as_sales_export(rows)
    returned, nameless, worded, miscounted = (
        _picked(rows, purpose, share) for purpose, share in ((1, 0.010), (2, 0.006), (3, 0.008), (4, 0.05))
    )
    export.loc[worded.index, "Miktar"] = [f"{n:.0f} koli" for n in worded["units"]]
    extra = [
        _as_sales_export(returned.assign(units=-returned["units"])),
        _as_sales_export(nameless).assign(**{"Stok Kodu": ""}),
    ]
    corrected = pd.concat([worded, miscounted.assign(units=np.ceil(miscounted["units"] * 0.8))])
    corrected["recorded"] = corrected["date"] + pd.Timedelta("4D") + pd.Timedelta("9h12min")
    corrected = corrected[corrected["recorded"] <= pd.Timestamp(last)].sort_values(["recorded", "site", "product"])
    corrected = corrected.drop_duplicates(["date", "site", "product"], keep="first")
    wrong = pd.concat(extra).assign(date=pd.concat([returned, nameless])["date"].to_numpy())
    return pd.concat([export.assign(date=rows["date"]), wrong], ignore_index=True), _as_sales_export(corrected)


def _sales(folder: Path, first: date, last: date) -> list[str]:
    export, corrections = sales_with_mistakes(first, last)
    names = []
    for quarter, part in _quarters(export):
        names.append(f"satis_{quarter}.csv")
        _write_csv(part.drop(columns="date"), folder / names[-1])
    _write_csv(corrections, folder / "satis_duzeltme.csv")
    return [*names, "satis_duzeltme.csv"]


def _production(folder: Path, first: date, last: date) -> list[str]:
    rows = plant.table("made", first, last)
    names = []
    for quarter, part in _quarters(rows):
        cells = (
            part["units"]
            .map(lambda n: _number(n, 0))
            .set_axis(pd.MultiIndex.from_frame(part[["site", "product", "date"]]))
        )
        wide = cells.unstack("date").rename(columns=lambda day: f"{day:%d.%m.%Y}").reset_index()  # noqa: PD010 - of a series
        names.append(f"uretim_{quarter}.csv")
        _write_csv(wide.rename(columns={"site": "Tesis", "product": "Stok Kodu"}), folder / names[-1], "utf-8-sig")
    return names


def _deliveries(folder: Path, first: date, last: date) -> list[str]:
    rows = plant.table("delivered", first, last)
    names = []
    for quarter, part in _quarters(rows):
        names.append(f"sevkiyat_{quarter}.parquet")
        renamed = {"site": "tesis", "product": "stok_kodu", "units": "adet"}
        part.assign(tarih=part["date"].dt.date).drop(columns="date").rename(columns=renamed).to_parquet(
            folder / names[-1], index=False
        )
    return names


def _products(folder: Path, _first: date, _last: date) -> list[str]:
    """An Excel sheet; written only where its rows differ, since Excel files hold the moment of their writing."""
    from openpyxl import Workbook, load_workbook

    path = folder / "stok_kartlari.xlsx"
    rows: list[tuple[str | None, ...]] = [("SİMÜLE FABRİKA - Stok kartları (simulated)", None, None, None), (None,) * 4]
    rows += [("Stok Kodu", "Stok Adı", "Grup", "Alt Grup")]
    rows += [(p.code, p.name, p.group, p.sub_group) for p in plant.PRODUCTS]
    if not path.exists() or list(load_workbook(path).worksheets[0].values) != rows:
        book = Workbook()
        for row in rows:
            book.worksheets[0].append(row)
        book.save(path)
    return [path.name]


def _sites(folder: Path, _first: date, _last: date) -> list[str]:
    rows = [(SITE, "İzmir deposu (simulated)"), (plant.SITES[1], "Ankara deposu (simulated)")]
    _write_csv(pd.DataFrame(rows, columns=["Tesis", "Ad"]), folder / "tesisler.csv")
    return ["tesisler.csv"]


def _events(folder: Path, first: date, last: date) -> list[str]:
    rows = plant.events(first, last)
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


EXPORTS: dict[str, Callable[[Path, date, date], list[str]]] = {
    "sites": _sites,
    "products": _products,
    "calendar_events": _events,
    "sales": _sales,
    "production": _production,
    "deliveries": _deliveries,
}


def write_exports(folder: Path, last: date) -> Path:
    """Write the exports up to the day `last` and their maps into `folder`; returns the set for `uretimiq-edge import-set`.

    For the same day the same bytes; for a later day only the files of the present quarter differ.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first = first_day(last)
    imports: list[dict[str, object]] = []
    for contract, write in EXPORTS.items():
        shutil.copyfile(MAPS / f"{contract}.yaml", folder / f"{contract}.yaml")
        imports.append({"contract": contract, "map": f"{contract}.yaml", "files": write(folder, first, last)})
    about = "Exports of a simulated plant, written by `python -m deploy.simulate`. No company's data."
    path = folder / "set.yaml"
    path.write_text(
        yaml.safe_dump({"about": about, "site": SITE, "imports": imports}, allow_unicode=True, sort_keys=False)
    )
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
