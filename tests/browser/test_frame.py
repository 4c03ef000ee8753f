"""The frame of the page: language, theme, companies, keyboard, errors."""

import re

import pytest


@pytest.fixture
def page(site, make_page, enter):
    """Signed in as the planner of acme."""
    opened = make_page(site)
    enter(opened, site)
    opened.get_by_role("heading", name="Genel bakış", level=1).wait_for()
    return opened


def background(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_the_page_speaks_turkish_first(page):
    assert page.locator("html").get_attribute("lang") == "tr"
    assert page.title() == "Genel bakış · ÜretimIQ"


def test_english_is_kept_for_the_next_visit(page):
    page.get_by_label("Dil").select_option("en")
    page.get_by_role("heading", name="Overview", level=1).wait_for()
    page.reload()

    page.get_by_role("heading", name="Overview", level=1).wait_for()
    assert page.locator("html").get_attribute("lang") == "en"


def test_a_theme_is_kept_for_the_next_visit_whatever_the_system_has(page):
    light = background(page)
    page.get_by_label("Görünüm").select_option("dark")
    dark = background(page)
    page.reload()
    page.locator(".who").wait_for()

    assert dark != light
    assert background(page) == dark


def test_without_a_choice_the_page_is_as_the_system_is(site, make_page):
    seen = set()
    for scheme in ("light", "dark"):
        page = make_page(site, color_scheme=scheme)
        page.goto("/")
        page.get_by_role("heading", level=1).wait_for()
        seen.add(background(page))

    assert len(seen) == 2


def test_another_companys_address_is_refused_and_his_own_offered(page):
    page.goto("/app/#/zebra/overview")

    page.get_by_role("heading", name="“zebra” firmasını göremezsiniz").wait_for()
    page.get_by_role("main").get_by_role("link", name="acme").click()
    page.get_by_role("heading", name="Genel bakış").wait_for()


def test_who_has_several_companies_switches_between_them_and_comes_back_to_the_last(site, make_page, enter):
    site.user("emel", acme="viewer", zebra="admin")
    site.plant.night("zebra")
    page = make_page(site)
    enter(page, site, "emel")
    page.get_by_label("Firma").select_option("zebra")
    page.wait_for_url("**/app/#/zebra/overview")
    page.get_by_role("link", name="Denetim kaydı").wait_for()

    page.goto("/app/")

    page.wait_for_url("**/app/#/zebra/overview")


def test_who_has_a_role_everywhere_sees_every_company_that_ran(site, make_page, enter):
    site.user("root", **{"*": "admin"})
    site.plant.night("zebra")
    page = make_page(site)
    enter(page, site, "root")

    assert page.get_by_label("Firma").locator("option").all_inner_texts() == ["acme", "zebra"]


def test_a_place_without_the_right_for_it_is_neither_offered_nor_opened(page):
    assert page.get_by_role("link", name="Denetim kaydı").count() == 0

    page.goto("/app/#/acme/audit")

    page.get_by_role("heading", name="Bu bölüm için yetkiniz yok").wait_for()


def test_an_address_that_there_is_not_is_told(page):
    page.goto("/app/#/acme/nirvana")

    page.get_by_role("heading", name="Böyle bir bölüm yok").wait_for()


def focused(page):
    return page.evaluate(
        "document.activeElement.innerText || document.activeElement.name || document.activeElement.tagName"
    )


def test_the_page_is_used_by_keyboard_alone(site, make_page):
    page = make_page(site)
    page.goto("/")
    page.get_by_role("heading", name="Oturum aç").wait_for()
    page.keyboard.type("ayse")
    page.keyboard.press("Tab")
    page.keyboard.type("korrekt pferd batterie")
    page.keyboard.press("Enter")
    page.locator(".who").wait_for()
    page.reload()
    page.locator(".who").wait_for()
    page.keyboard.press("Tab")
    assert focused(page) == "İçeriğe geç"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Shift+Tab")
    assert focused(page) == "Hesabım"

    page.keyboard.press("Enter")

    page.get_by_role("heading", name="Hesabım").wait_for()
    assert page.evaluate("document.activeElement.id") == "main"


def test_a_dialog_holds_the_focus_and_gives_it_back(page):
    page.get_by_role("link", name="Hesabım").click()
    page.get_by_role("button", name="İki adımlı doğrulamayı aç").focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    for _ in range(8):
        page.keyboard.press("Tab")
        inside = "document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))"
        assert page.evaluate(inside)  # body: the browser's own bar, on the way round

    page.keyboard.press("Escape")

    assert page.get_by_role("dialog").count() == 0
    assert focused(page) == "İki adımlı doğrulamayı aç"


def test_an_error_is_told_in_words_with_the_id_of_its_request(page, site):
    page.route("**/overview", lambda route: route.fulfill(
        status=500, headers={"X-Request-ID": "5d1f0c7a"}, content_type="application/problem+json",
        body='{"type": "urn:uretimiq:problem:internal", "detail": "the server failed"}'))  # fmt: skip
    page.reload()
    told = page.locator("[role=alert]")
    told.wait_for()

    assert "Sunucuda bir hata oldu" in told.inner_text()
    told.locator("summary").click()
    assert "5d1f0c7a" in told.inner_text()


def test_a_server_out_of_reach_is_told_and_asked_again(page):
    page.route("**/overview", lambda route: route.abort())
    page.reload()
    page.get_by_text("Sunucuya ulaşılamıyor").wait_for()
    page.unroute("**/overview")

    page.get_by_role("button", name="Yeniden dene").click()

    page.get_by_text("Sunucuya ulaşılamıyor").wait_for(state="detached")


def test_on_a_phone_the_places_are_behind_a_button(site, make_page, enter):
    page = make_page(site, 360)
    enter(page, site)
    menu = page.get_by_role("button", name="Menü")
    assert not page.get_by_role("link", name="Hesabım").is_visible()
    menu.click()
    assert menu.get_attribute("aria-expanded") == "true"

    page.get_by_role("link", name="Hesabım").click()

    page.get_by_role("heading", name="Hesabım").wait_for()
    assert not page.get_by_role("link", name="Genel bakış").is_visible()


def test_the_address_bar_names_the_place_and_back_goes_back(page):
    page.get_by_role("link", name="Hesabım").click()
    page.get_by_role("heading", name="Hesabım").wait_for()
    page.go_back()

    page.get_by_role("heading", name="Genel bakış").wait_for()
    assert re.search("#/acme/overview$", page.url)
