"""Tenants that are not like most: one that counts in weeks, and one whose overrides have outcomes."""

import json
import re
from datetime import date, timedelta

import httpx
import pytest
from openpyxl import load_workbook
from test_every_view import LOOKS, assert_accessible, look
from weeks import write_weeks

__all__ = ["look"]
PASSWORD = "korrekt pferd batterie"
SERIES = "forecast/ankara/RLM-6204"


def headers_of(site, name="ayse"):
    form = {"grant_type": "password", "username": name, "password": PASSWORD}
    answer = httpx.post(f"{site.address}/v1/auth/token", data=form, timeout=60)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def post(site, what, said, name="ayse"):
    address = f"{site.address}/v1/tenants/acme/{what}"
    answer = httpx.post(address, json=said, headers=headers_of(site, name), timeout=60)
    assert answer.status_code == 201, answer.text
    return answer.json()


def override(site, name="ayse", **change):
    post(site, "overrides", {"site": "ankara", "how": "units", "reason": "Tender", **change}, name)


@pytest.fixture
def weeks(make_site):
    """A tenant of weeks whose planner has overridden two of them."""
    site = make_site()
    write_weeks(site.plant)
    site.user()
    override(site, product="RLM-6204", first="2026-03-09", last="2026-03-22", value=900.0)
    return site


@pytest.fixture
def open_weeks(weeks, look, enter):
    def open_it(language="tr", theme="light", width=1280):
        page = look(weeks, language, theme, width)
        enter(page, weeks)
        page.locator("nav [aria-current=page]").wait_for(state="attached")
        return page

    return open_it


def go(page, place):
    page.goto(f"/app/#/acme/{place}")
    page.locator("main h1").wait_for()
    page.wait_for_load_state("networkidle")


@pytest.mark.parametrize(("language", "theme", "width"), [LOOKS[0], LOOKS[-1]])
def test_every_view_of_a_tenant_of_weeks_is_accessible(weeks, open_weeks, language, theme, width):
    scenario = post(weeks, "scenarios", {"name": "What if", "copy_of": "final"})["scenario_id"]
    page = open_weeks(language, theme, width)
    for place in ("overview", "forecast", SERIES, "overrides", f"scenarios/{scenario}", "excel", "quality"):
        go(page, place)
        assert_accessible(page, f"weeks-{place.replace('/', '-')}-{language}")


def test_the_overview_and_the_forecast_speak_of_weeks(open_weeks):
    page = open_weeks()
    go(page, "overview")
    page.get_by_text("İlk haftanın tahmini").wait_for()
    page.get_by_text("Aynı haftalar için").wait_for()
    go(page, SERIES)
    page.get_by_text("13 hafta").first.wait_for()
    page.get_by_role("rowheader", name="ilk 4 hafta").wait_for()
    page.get_by_text("son tam haftayı yineler").wait_for()
    page.get_by_role("rowheader", name="Mevsim", exact=True).wait_for()
    page.get_by_text("Sayıları tablo olarak göster").click()
    page.locator(".chart-numbers").get_by_role("columnheader", name="Hafta").wait_for()
    said = page.locator("main").inner_text()
    assert "haftanın aynı gün" not in said
    assert "ilk 7 gün" not in said


def test_an_override_of_weeks_is_offered_from_monday_to_sunday_and_ends_with_its_last(open_weeks):
    page = open_weeks("en")
    go(page, SERIES)
    page.get_by_role("button", name="Override the forecast").click()
    dialog = page.get_by_role("dialog")
    assert [it.input_value() for it in dialog.locator("input[type=date]").all()] == [
        "2026-03-02",
        "2026-03-29",
        "2026-03-29",
    ]
    dialog.get_by_text("Weeks count whole").wait_for()
    dialog.get_by_label("Last day").fill("2026-03-11")
    dialog.get_by_label("How").select_option("units")
    dialog.locator("[inputmode=decimal]").fill("700")

    dialog.get_by_text("2 weeks: 1,018 → 1,400 pieces").wait_for()
    assert dialog.get_by_label("Valid until").input_value() == "2026-03-15"
    assert_accessible(page, "weeks-dialog")


def test_an_override_of_weeks_is_listed_by_week(open_weeks):
    page = open_weeks()
    go(page, "overrides")
    page.get_by_text("haftada 900").first.wait_for()
    page.get_by_role("button", name="ayrıntı").first.click()

    dialog = page.get_by_role("dialog")
    dialog.get_by_role("columnheader", name="Hafta").wait_for()
    dialog.get_by_text("9 Mar 2026 haftası").wait_for()
    assert "Gün" not in dialog.locator("table").first.inner_text()


def test_a_workbook_of_weeks_shows_which_weeks_it_changes(open_weeks, tmp_path):
    page = open_weeks("en")
    go(page, "excel")
    with page.expect_download() as taken:
        page.get_by_role("button", name="Download Excel").click()
    path = tmp_path / "plan.xlsx"
    taken.value.save_as(path)
    book = load_workbook(path)
    book.worksheets[0]["E2"].value = 5
    book.save(path)

    page.get_by_label("Workbook (.xlsx, 16 MB at most)").set_input_files(path)

    page.get_by_role("cell", name="Week of 9 Mar 2026").wait_for()


@pytest.fixture
def judged(make_site):
    """Six weeks in each of which ayse said the truth of a day of P-1, and mehmet was wrong of P-2 half of the times."""
    site = make_site()
    site.user()
    site.user("mehmet")
    for week in range(6):
        night = date(2026, 3, 1) + timedelta(7 * week)
        site.plant.night(night=night)
        if week:
            site.clock.later(7 * 86_400)
        day = (night + timedelta(2)).isoformat()
        override(site, product="P-1", first=day, last=day, value=99.0)
        override(site, "mehmet", product="P-2", first=day, last=day, value=[99.0, 500.0][week % 2])
    site.plant.series(night=date(2026, 4, 20), units=json.dumps([100.0] * 60))
    site.clock.later()
    return site


def test_what_overrides_were_worth_is_told_with_its_band(judged, make_page, enter):
    page = make_page(judged)
    enter(page, judged)
    page.locator("nav [aria-current=page]").wait_for()
    go(page, "overrides")
    section = page.locator("section", has=page.get_by_role("heading", name="Düzeltmeler ne kazandırdı?"))
    rows = {
        row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in section.locator("tbody tr").all()
    }
    assert rows["ayse"][0] == "işe yarıyor"
    assert rows["ayse"][3:5] == ["6", "600"]
    assert rows["ayse"][2].strip().startswith("+%")
    assert rows["mehmet"][0] == "belirsiz"
    assert re.match(r"-%\d+ … \+%\d+", rows["mehmet"][2].strip())
    assert_accessible(page, "value")


def test_the_verdict_is_in_sight_on_a_phone(judged, make_page, enter):
    page = make_page(judged, 360)
    enter(page, judged)
    page.locator("nav [aria-current=page]").wait_for(state="attached")
    go(page, "overrides")

    assert page.get_by_text("işe yarıyor", exact=True).bounding_box()["x"] < 300


def test_large_numbers_are_whole_beside_the_chart(make_site, make_page, enter):
    site = make_site()
    site.user()
    site.plant.night(units_point=9_000_000.0, units_q10=8_000_000.0, units_q50=9_000_000.0, units_q90=9_500_000.0)
    site.plant.series(units=json.dumps([9_000_000.0] * 60))
    page = make_page(site)
    enter(page, site)
    page.locator("nav [aria-current=page]").wait_for()
    go(page, "forecast/ankara/P-1")
    plot = page.locator(".chart-plot .u-over")
    plot.wait_for()

    assert plot.evaluate("it => it.offsetLeft") > 75  # "10.000.000" is 67 wide


def test_who_waits_for_a_workbook_is_told(weeks, open_weeks):
    page = open_weeks()
    held = []
    page.route("**/plan?*format=xlsx*", lambda route, _: held.append(route))
    go(page, "excel")
    page.get_by_role("button", name="Excel indir").click()

    page.get_by_text("Dosya hazırlanıyor").wait_for()
    assert page.get_by_role("button", name="Excel indir").is_disabled()
    held[0].abort()


def test_a_user_is_a_row_of_one_line_on_a_phone(judged, make_page, enter):
    judged.user("patron", acme="admin")
    page = make_page(judged, 360)
    enter(page, judged, "patron")
    page.locator("nav [aria-current=page]").wait_for(state="attached")
    go(page, "users")

    assert page.locator("main tbody tr").first.bounding_box()["height"] < 60
