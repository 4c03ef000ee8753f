"""Sentences for planners: right numbers, right language."""

from __future__ import annotations

from typing import Any

import pytest

from models.demand.drivers import DRIVERS
from models.demand.fallback import DEAD, NAIVE, SHORT
from models.demand.parameters import HISTORY
from models.demand.words import LANGUAGES, number, percent, phrases, text


def _change(**more: Any) -> dict[str, Any]:
    plain = {
        "night": "2026-03-01",
        "units": 12.0,
        "share": 0.12,
        "method_changed": False,
        "model_changed": False,
        "factors": {},
    }
    plain |= {"drivers": {"level": 9.0, "holiday": 4.0, "season": -1.0}}
    return plain | {"model_version": "7", "model_version_before": "7"} | more


def _told(language: str, **more: Any) -> str:
    given = {
        "series": "gebze/pump",
        "drivers": {"level": 1300.0, "season": -2.0, "holiday": -80.5},
        "factors": {},
        "periods": (28, "day"),
        "method": "champion",
        "change": None,
        "cases": [],
    }
    return text(language, **given | more)


@pytest.mark.parametrize(
    ("value", "tr", "en"),
    [(1234.4, "1.234", "1,234"), (3.25, "3,2", "3.2"), (-0.01, "0", "0"), (4.0, "4", "4"), (-12.0, "−12", "−12")],
)
def test_numbers_are_written_as_the_language_does(value: float, tr: str, en: str) -> None:
    assert (number(value, "tr"), number(value, "en")) == (tr, en)


def test_the_percent_sign_stands_before_in_turkish_and_after_in_english() -> None:
    assert (percent(0.1234, "tr"), percent(-0.025, "en")) == ("%12", "2.5%")


def test_both_languages_have_the_same_phrases() -> None:
    def keys(found: Any) -> Any:
        return {k: keys(v) for k, v in found.items()} if isinstance(found, dict) else None

    assert keys(phrases("tr")) == keys(phrases("en"))


def test_weeks_have_phrases_of_their_own_in_place_of_those_of_days() -> None:
    told = {language: _told(language, periods=(13, "week"), change=_change()) for language in LANGUAGES}
    assert "Önümüzdeki 13 hafta için" in told["tr"]
    assert "Geçen haftaki öngörüye (01.03.2026) göre %12 yüksek" in told["tr"]
    assert "in the next 13 weeks" in told["en"]
    assert "12% higher than the forecast of the week before (01 Mar 2026)" in told["en"]
    assert phrases("en", "week")["drivers"]["season"] == "season"
    for language in LANGUAGES:
        assert {s: set(its) for s, its in phrases(language, "week").items() if isinstance(its, dict)} == {
            s: set(its) for s, its in phrases(language).items() if isinstance(its, dict)
        }


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_driver_and_every_fallback_has_a_phrase(language: str) -> None:
    assert set(phrases(language)["drivers"]) == set(DRIVERS)
    assert set(phrases(language)["fallbacks"]) == {NAIVE, HISTORY, SHORT, DEAD}


def test_the_forecast_names_the_level_and_the_drivers_that_matter() -> None:
    assert _told("tr") == "Önümüzdeki 28 gün için 1.218 adet: son dört haftanın düzeyi 1.300, tatil ve olaylar −80."
    assert (
        _told("en") == "1,218 pieces in the next 28 days: level of the last four weeks 1,300, holidays and events −80."
    )


def test_a_change_is_told_with_its_reasons() -> None:
    assert "Önceki geceye (01.03.2026) göre %12 yüksek: son dört haftanın düzeyi +9 (yeni satış verileri), " in _told(
        "tr", change=_change()
    )
    assert "tatil ve olaylar +4." in _told("tr", change=_change())
    lower = _change(units=-12.0, share=-0.12, drivers={"level": 1.0, "price": -13.0})
    assert "12% lower than the night before (01 Mar 2026): price and promotion −13." in _told("en", change=lower)


def test_a_driver_that_hardly_matters_is_no_reason() -> None:
    told = _told("en", change=_change(drivers={"level": 11.9, "other": 0.1}))
    assert "level of the last four weeks +12 (new sales figures). " in told + " "
    assert "other" not in told


def test_another_model_is_the_first_reason() -> None:
    told = _told("tr", change=_change(model_changed=True, model_version="8"))
    assert "yüksek: model sürümü 7 yerine 8, son dört haftanın düzeyi +9, " in told


def test_a_change_too_small_to_matter_is_none() -> None:
    assert "değişmedi" in _told("tr", change=_change(share=0.004))


def test_the_nearest_case_is_told() -> None:
    case = {"night": "2025-03-02", "series": "gebze/pump", "distance": 0.3, "units": 1150.0}
    assert "02.03.2025 sonrası: bugünkü düzeyle 1.150 adet satıldı." in _told("tr", cases=[case])
    other = case | {"series": "gebze/valve", "distance": 2.0}
    assert "Few situations were like this one. Most alike in the past: gebze/valve" in _told("en", cases=[other])


def test_a_fallback_is_named() -> None:
    assert _told("tr", method=DEAD, drivers={"level": 0.0}).startswith("Yarım yıldır satış yok")
