"""The users of a company in the page: added, changed, reset, by keyboard and by mouse."""

import pytest
from test_every_view import assert_accessible

OWN = "kendi uzun cümlem"


@pytest.fixture
def page(site, make_page, enter):
    site.user("patron", acme="admin")
    page = make_page(site)
    enter(page, site, "patron")
    page.get_by_role("link", name="Kullanıcılar").click()
    page.get_by_role("heading", name="Kullanıcılar", level=1).wait_for()
    return page


def roles(site):
    return {user["name"]: user["roles"] for user in site.identity.users.list()}


def test_an_admin_adds_a_user_who_then_chooses_his_password(site, page, make_page):
    page.get_by_role("button", name="Kullanıcı ekle").click()
    dialog = page.get_by_role("dialog")
    assert_accessible(page, "users-add")
    dialog.get_by_label("Kullanıcı adı").fill("mehmet")
    dialog.get_by_label("Yetki").select_option("operator")
    dialog.get_by_label("Yetki").press("Tab")
    page.keyboard.press("Enter")
    once = dialog.locator("code").inner_text()
    page.get_by_role("rowheader", name="mehmet").wait_for(state="attached")  # the list has come anew behind it
    assert dialog.evaluate("it => it.matches(':modal')")
    assert_accessible(page, "users-password")
    dialog.get_by_role("button", name="İlettim").click()
    page.get_by_text("İlk giriş bekleniyor").wait_for()

    other = make_page(site)
    other.goto("/")
    other.get_by_label("Kullanıcı adı").fill("mehmet")
    other.get_by_label("Parola").fill(once)
    other.keyboard.press("Enter")
    other.get_by_label("Yeni parola", exact=False).nth(0).fill(OWN)
    other.get_by_label("Yeni parola, bir daha").fill(OWN)
    assert_accessible(other, "signin-fresh")
    other.keyboard.press("Enter")

    other.locator(".who").wait_for()
    assert roles(site)["mehmet"] == {"acme": "operator"}


def test_an_admin_changes_a_role_and_takes_it(site, page):
    page.get_by_role("button", name="ayse için yetki").click()
    page.get_by_role("dialog").get_by_label("Yetki").select_option("viewer")
    page.get_by_role("button", name="Kaydet").click()
    page.get_by_role("cell", name="izleyici").wait_for()
    page.get_by_role("button", name="ayse kullanıcısının yetkisini al").click()
    page.get_by_role("dialog").get_by_role("button", name="Yetkiyi al").click()
    page.get_by_role("rowheader", name="ayse").wait_for(state="detached")

    assert roles(site)["ayse"] == {}


def test_the_last_admin_is_told_that_he_stays(site, page):
    page.get_by_role("button", name="patron kullanıcısının yetkisini al").click()
    page.get_by_role("dialog").get_by_role("button", name="Yetkiyi al").click()

    page.get_by_text("firmanın son yöneticisi").wait_for()
