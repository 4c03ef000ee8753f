"""Tenants that are not like most: one that counts in weeks, and one whose overrides have outcomes."""

import json
from datetime import date, timedelta

import httpx
import pytest
from lakes import NIGHT, forecast_row, known_series_row
from test_every_view import assert_accessible

from expectations.tables import DEMAND_FORECAST, DEMAND_SERIES

PASSWORD = "korrekt pferd batterie"
WEEKS, PAST = 13, 60
SERIES = [("ankara", "P-1"), ("ankara", "P-2"), ("bursa", "P-1")]


def headers_of(site, name="ayse"):
    form = {"grant_type": "password", "username": name, "password": PASSWORD}
    answer = httpx.post(f"{site.address}/v1/auth/token", data=form, timeout=60)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def override(site, **change):
    said = {"site": "ankara", "product": "P-1", "how": "units", "reason": "Tender", **change}
    address = f"{site.address}/v1/tenants/acme/overrides"
    answer = httpx.post(address, json=said, headers=headers_of(site), timeout=60)
    assert answer.status_code == 201, answer.text


@pytest.fixture
def weeks(make_site):
    """Two nights of a tenant of weeks, from Monday to Sunday, with an override of two of them."""
    site = make_site()
    for night in (NIGHT - timedelta(7), NIGHT):
        run = f"weeks-{night}"
        rows = [
            forecast_row("acme", night, *of, 1, run)
            | {"date": night + timedelta(7 * week + 1), "period": "week", "units_point": 700.0 + 10 * week}
            for of in SERIES
            for week in range(WEEKS)
        ]
        site.plant.write(DEMAND_FORECAST, rows)
        site.plant.run(night=night, run=run)
    first = NIGHT - timedelta(7 * PAST - 1)
    known = [
        known_series_row("acme", NIGHT, *of, n, 1)
        | {"period": "week", "first_date": first, "units": json.dumps([600.0 + week for week in range(PAST)])}
        for n, of in enumerate(SERIES, 1)
    ]
    site.plant.write(DEMAND_SERIES, known, "tenant = 'acme'")
    site.user()
    site.clock.later()  # the server may have looked before there was anything
    override(site, first="2026-03-09", last="2026-03-22", value=900.0)
    return site


def test_a_tenant_of_weeks_is_shown_in_weeks(weeks, make_page, enter):
    page = make_page(weeks)
    enter(page, weeks)
    page.locator("nav [aria-current=page]").wait_for()
    for place in ("overview", "forecast", "forecast/ankara/P-1", "scenarios", "excel"):
        page.goto(f"/app/#/acme/{place}")
        page.locator("main h1").wait_for()
        page.wait_for_load_state("networkidle")
        assert_accessible(page, f"weeks-{place.replace('/', '-')}")
    page.goto("/app/#/acme/forecast/ankara/P-1")
    page.get_by_text("13 hafta").first.wait_for()
    page.get_by_text("Sayıları tablo olarak göster").click()
    page.locator(".chart-numbers").get_by_role("columnheader", name="Hafta").wait_for()
    page.goto("/app/#/acme/overrides")
    page.get_by_text("haftada 900").first.wait_for()
    page.get_by_role("button", name="ayrıntı").first.click()

    dialog = page.get_by_role("dialog")
    dialog.get_by_role("columnheader", name="Hafta").wait_for()
    dialog.get_by_text("9 Mar 2026 haftası").wait_for()
    assert_accessible(page, "weeks-override")
    assert "Gün" not in dialog.locator("table").first.inner_text()


@pytest.fixture
def judged(make_site):
    """Six weeks in each of which ayse said the truth of a day of P-1: 100 pieces; fewer were forecast."""
    site = make_site()
    site.user()
    for week in range(6):
        night = date(2026, 3, 1) + timedelta(7 * week)
        site.plant.night(night=night)
        site.clock.later(7 * 86_400 if week else 6)
        day = (night + timedelta(2)).isoformat()
        override(site, first=day, last=day, value=99.0)
    site.plant.series(night=date(2026, 4, 20), units=json.dumps([100.0] * 60))
    site.clock.later()
    return site


def test_what_overrides_were_worth_is_told_with_its_band(judged, make_page, enter):
    page = make_page(judged)
    enter(page, judged)
    page.locator("nav [aria-current=page]").wait_for()
    page.goto("/app/#/acme/overrides")
    row = page.get_by_role("row", name="ayse").filter(has_text="%")
    row.wait_for()
    assert_accessible(page, "value")

    cells = row.locator("td").all_inner_texts()
    assert cells[:4] == ["6", "600", cells[2], "6"]
    assert cells[-1] == "işe yarıyor"
