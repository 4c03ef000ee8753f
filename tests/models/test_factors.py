"""Numbers from outside: only what was told by the cut-off, and worth having where demand follows them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.demand.arrays import day
from models.demand.attribution import medians
from models.demand.calendar import Calendar
from models.demand.drivers import by_factor
from models.demand.factors import CLIP, COLUMNS, Factors, column_names, factor_of, no_rows
from models.demand.frame import build_all, digest
from models.demand.members import Members
from models.demand.origins import Origins
from models.demand.parameters import LIGHTGBM, ParameterError, parameters
from models.demand.periods import DAY, WEEK
from models.demand.training import ENSEMBLE, train
from models.demand.vocabulary import Vocabulary

FIRST = date(2025, 1, 6)  # of the made-up plant
ORIGIN = 120
Row = tuple[str, str, int, float, float]  # site, factor, day from FIRST on, value, day on which it was told


def _moment(days: float) -> pd.Timestamp:
    return pd.Timestamp(FIRST, tz="UTC") + pd.Timedelta(days=days)


def _rows(*rows: Row) -> pd.DataFrame:
    told = [(site, name, FIRST + timedelta(days=d), value, _moment(known)) for site, name, d, value, known in rows]
    return pd.DataFrame(told, columns=list(COLUMNS))


def _wave(name: str = "temperature", site: str = "*", days: range = range(-400, 200)) -> list[Row]:
    """Of each day a forecast that was told three days before, half a degree too low, and the truth the day after."""
    truth = {d: 15 + 8 * np.sin(d / 58) + 3 * np.sin(d * 1.7) for d in days}
    return [row for d, t in truth.items() for row in ((site, name, d, t - 0.5, d - 3.0), (site, name, d, t, d + 1.0))]


def _asked(
    factors: Factors, horizon: int = 1, origin: int = ORIGIN, site: str = "gebze", name: str = "temperature"
) -> Any:
    """factor_last, factor_change and factor_told at 06:00 after the origin's day."""
    cut_off = np.array([_moment(origin + 1.25).value // 1000])
    at = np.array([day(FIRST) + origin])
    return factors.numbers((name,), np.array([site], dtype=object), at, cut_off, np.array([horizon]), DAY)[0]


def _by_hand(rows: list[Row], horizon: int, origin: int = ORIGIN) -> np.ndarray:
    """The three numbers by their definitions, from rows of one factor and site."""
    cut_off = origin + 1.25
    newest: dict[int, tuple[float, float]] = {}
    for _, _, d, value, known in sorted(rows, key=lambda r: r[4]):
        if known <= cut_off:
            newest[d] = (known, value)

    def held(d: int) -> float:
        there = [k for k in newest if d - 91 <= k <= d]
        return newest[max(there)][1] if there else np.nan

    year = np.array([held(origin - 7 * k) for k in range(52)])
    year = year[~np.isnan(year)]
    if len(year) < 8:
        return np.full(3, np.nan)
    target = origin + horizon
    last_same = target - 7 * ((horizon - 1) // 7 + 1)
    usual = np.nanmean([held(last_same - 7 * w) for w in range(4)])
    told = newest[target][1] if target in newest else np.nan
    found = np.array([held(origin) - year.mean(), held(origin) - held(origin - 28), told - usual])
    return np.clip(found / year.std(), -CLIP, CLIP)


@pytest.mark.parametrize("horizon", [1, 2, 3, 7, 8, 28])
@pytest.mark.parametrize("seed", range(6))
def test_the_numbers_are_those_of_their_definition(seed: int, horizon: int) -> None:
    """Drawn: days without a row, rows told ahead, late, and corrected, in any order."""
    chance = np.random.default_rng(seed)
    drawn = [
        ("*", "temperature", int(d), float(chance.normal()), float(d + chance.normal(0, 12)))
        for d in chance.integers(-300, 200, 1500 if seed % 2 else 80)
    ]
    assert _asked(Factors.from_rows(_rows(*drawn)), horizon) == pytest.approx(_by_hand(drawn, horizon), nan_ok=True)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_told_after_the_cut_off_changes_nothing(weekly_world: Any, seed: int) -> None:
    """The truth of the days ahead, late corrections of days gone, a site's first own value: none of them is seen."""
    chance = np.random.default_rng(seed)
    origins = Origins.from_features(weekly_world.features([ORIGIN]))
    calendar = weekly_world.calendar()
    known = [row for row in _wave() if row[4] <= ORIGIN + 1.25]
    late = [
        (str(chance.choice(["*", "gebze"])), "temperature", int(d), 1e6, ORIGIN + 1.25 + abs(chance.normal()) + 1e-6)
        for d in chance.integers(-400, 200, 300)
    ]
    frames = []
    for rows in (known, [*known, *late]):
        days = Calendar.from_features(calendar, _rows(*rows))
        frames.append(build_all(origins, days, Vocabulary.learn(origins, days), 28))
    assert digest(frames[0].x) == digest(frames[1].x)
    told = frames[0].column("factor_told_of_temperature").reshape(-1, 28)
    assert not np.isnan(told[:, :3]).any(), "it was told three days ahead"
    assert np.isnan(told[:, 4:]).all(), "and nobody knew more"


def test_a_correction_counts_from_when_it_is_told() -> None:
    corrected = [*_wave(), ("*", "temperature", ORIGIN, 99.0, ORIGIN + 1.25)]
    late = [*_wave(), ("*", "temperature", ORIGIN, 99.0, ORIGIN + 1.26)]
    plain = _asked(Factors.from_rows(_rows(*_wave())))[0]
    assert _asked(Factors.from_rows(_rows(*late)))[0] == plain
    assert _asked(Factors.from_rows(_rows(*corrected)))[0] > plain + 2


def test_a_site_has_its_own_values_and_else_those_of_all_sites() -> None:
    factors = Factors.from_rows(_rows(*_wave(), *[(s, n, d, -v, k) for s, n, d, v, k in _wave(site="bursa")]))
    assert _asked(factors, site="bursa") == pytest.approx(-_asked(factors, site="gebze"))
    assert _asked(factors, site="gebze") == pytest.approx(_by_hand(_wave(), 1))


@pytest.mark.parametrize(
    ("every", "known"),
    [(30, True), (91, True), (120, False)],
    ids=["a price of each month", "of each quarter", "too old to hold"],
)
def test_a_value_holds_until_the_next_one_but_not_for_ever(every: int, known: bool) -> None:
    rows = [("*", "cotton_price", d, float(d % 17), d + 5.0) for d in range(ORIGIN - every, -700, -every)]
    assert np.isnan(_asked(Factors.from_rows(_rows(*rows)), name="cotton_price")[0]) != known


def test_a_factor_that_never_moves_says_nothing() -> None:
    still = [("*", "temperature", d, 20.0, d - 3.0) for d in range(-400, 200)]
    assert np.isnan(_asked(Factors.from_rows(_rows(*still)))).all()


@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_the_numbers_have_no_size(unit: float) -> None:
    scaled = [(s, n, d, v * unit + 273, k) for s, n, d, v, k in _wave()]
    assert _asked(Factors.from_rows(_rows(*scaled))) == pytest.approx(_by_hand(_wave(), 1))


def test_a_week_has_the_mean_of_its_days_as_they_are_told() -> None:
    rows = [("*", "temperature", d, float(d), -30.0) for d in range(7)]
    rows += [("*", "temperature", 3, 10.0, 2.0), ("*", "temperature", 8, 5.0, 2.0)]
    weeks = Factors.from_rows(_rows(*rows)).in_periods(WEEK)
    number = np.array([WEEK.of(day(FIRST))])
    one = np.zeros(1, dtype=np.int64)
    assert [weeks.told(one, number, one + rank)[0] for rank in (0, 1, 2)] == pytest.approx(
        [np.nan, 3.0, 4.0], nan_ok=True
    )
    assert weeks.told(one, number + 1, one + 2)[0] == 5.0, "of a week of which one day is told"


def test_no_factors_are_no_columns_and_no_change(weekly_world: Any) -> None:
    origins = Origins.from_features(weekly_world.features([ORIGIN]))
    plain, without = (Calendar.from_features(weekly_world.calendar(), f) for f in (None, no_rows()))
    frames = [build_all(origins, days, Vocabulary.learn(origins, days), 28) for days in (plain, without)]
    assert digest(frames[0].x) == digest(frames[1].x)
    assert not any(map(factor_of, frames[0].names))
    assert without.in_periods(WEEK).factors.names == ()


@pytest.mark.parametrize("rows", [no_rows(), _rows(*_wave("usd_try"))], ids=["no more", "another one"])
def test_a_factor_that_is_missing_at_night_is_unknown(weekly_world: Any, rows: pd.DataFrame) -> None:
    origins = Origins.from_features(weekly_world.features([ORIGIN]))
    learned = Calendar.from_features(weekly_world.calendar(), _rows(*_wave()))
    words = Vocabulary.learn(origins, learned)
    night = build_all(origins, Calendar.from_features(weekly_world.calendar(), rows), words, 28)
    assert [n for n in night.names if factor_of(n)] == list(column_names(["temperature"]))
    assert np.isnan(np.stack([night.column(n) for n in column_names(["temperature"])])).all()


def test_a_column_tells_its_factor_whatever_that_is_called() -> None:
    names = ["x", "x_of_y", "told_of_x", "factor_last"]
    assert [factor_of(c) for c in column_names(names)] == [n for n in names for _ in range(3)]
    assert factor_of("kind_factor_last_of_x") is None


def test_a_model_of_before_there_were_factors_still_loads(small_training: Any, tmp_path: Path) -> None:
    small_training.model.save(tmp_path)
    known = (tmp_path / "members.json").read_text().replace('"factors": []', '"kinds_": []')
    assert '"kinds_"' in known
    (tmp_path / "members.json").write_text(known.replace(',\n  "kinds_": []', ""))
    assert Members.load(tmp_path).words == small_training.model.members.words


def test_more_factors_than_a_model_takes_are_no_parameters() -> None:
    with pytest.raises(ParameterError, match="13 are named, a model takes 12"):
        parameters({"factors": [f"f{k}" for k in range(13)]})


# ------------------------------------------------------------------------------------------ what they are worth
def _series(seed: int = 3) -> np.ndarray:
    """A year of weather before the plant begins, and four weeks after it ends: a slow season and mild and cold spells."""
    chance = np.random.default_rng(seed)
    spell = np.zeros(593)
    for d in range(1, len(spell)):
        spell[d] = 0.8 * spell[d - 1] + chance.normal(0, 2.5)
    return 12 + 8 * np.sin(2 * np.pi * np.arange(len(spell)) / 365) + spell


def _known_ahead(name: str, values: np.ndarray) -> list[Row]:
    return [("*", name, d, float(v), d - 30.0) for d, v in enumerate(values, start=-365)]


@pytest.fixture(scope="module")
def scores(make_weekly: Any, make_world: Any, data_of: Any, small_parameters: Any) -> Any:
    """Mean RMSSE of the folds' ensembles: demand that follows the weather or not, and what the model is told."""
    plain = make_weekly(days=200)
    weather = _series()
    moved = make_world(plain.products, np.round(plain.units * np.exp(0.06 * (weather[365:565] - 12)), 1))
    noise = [
        r for k in range(12) for r in _known_ahead(f"noise_{k}", np.cumsum(np.random.default_rng(k).normal(size=593)))
    ]

    def trained(world: Any, rows: list[Row]) -> Any:
        data = data_of(world)
        told = Calendar.from_features(world.calendar(), _rows(*rows))
        return train(replace(data, calendar=told), small_parameters), data.origins, told

    made = {
        "moved, told": trained(moved, _known_ahead("temperature", weather)),
        "moved": trained(moved, []),
        "still, told": trained(plain, _known_ahead("temperature", weather)),
        "still, noise": trained(plain, noise),
        "still": trained(plain, []),
    }
    figures = {
        k: np.mean([f[ENSEMBLE]["rmsse"] for f in t.scores.values() if ENSEMBLE in f]) for k, (t, *_) in made.items()
    }
    return figures, made


def test_a_temperature_known_ahead_takes_a_third_off_the_error_where_demand_follows_it(scores: Any) -> None:
    assert scores[0]["moved, told"] < 0.67 * scores[0]["moved"], scores[0]


@pytest.mark.parametrize("told", ["told", "noise"])
def test_where_demand_follows_nothing_of_it_little_is_lost(scores: Any, told: str) -> None:
    assert scores[0][f"still, {told}"] < 1.03 * scores[0]["still"], scores[0]


def test_factors_that_save_nothing_are_not_learned_from(scores: Any) -> None:
    known = {name: training.model.members.words.factors for name, (training, *_) in scores[1].items()}
    assert known == {name: ("temperature",) if name == "moved, told" else () for name in known}


def test_the_explanation_names_the_factor_and_adds_up(scores: Any) -> None:
    training, origins, calendar = scores[1]["moved, told"]
    night = origins.take(origins.day == origins.day.max())
    said = training.model.quantiles(night, calendar)[..., 1]
    drivers, own = by_factor(medians(training.model, night, calendar, said), ("temperature",))
    assert np.abs(drivers.sum(axis=-1) - said).max() < 1e-6
    assert np.abs(own["temperature"]).mean() > 0.05 * said.mean()
    assert LIGHTGBM in training.model.blend.members
