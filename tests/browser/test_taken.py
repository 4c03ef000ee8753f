"""A role, a user or a session that ends while the page is open: the page says which, and shows nothing more."""

import pytest


@pytest.fixture
def page(site, make_page, enter):
    page = make_page(site)
    enter(page, site)
    page.get_by_role("heading", name="Genel bakış", level=1).wait_for()
    return page


def test_a_user_who_is_disabled_is_asked_to_sign_in(site, page):
    site.identity.users.disable(site.caller, "ayse")
    site.clock.later(3)  # who he was is known for two seconds

    page.get_by_role("link", name="Tahmin").first.click()

    page.get_by_label("Parola").wait_for()
    page.get_by_text("Oturumunuz sona erdi").wait_for()
    assert page.locator(".who").count() == 0


def test_who_signs_out_is_not_told_that_the_session_ended(page):
    page.get_by_role("button", name="Çıkış").click()

    page.get_by_label("Parola").wait_for()
    assert page.get_by_text("Oturumunuz sona erdi").count() == 0


def test_a_role_that_was_taken_is_told_by_the_next_view(site, page):
    site.identity.users.take(site.caller, "ayse", "acme")
    site.clock.later(3)  # what he might was known for two seconds

    page.get_by_role("link", name="Tahmin").first.click()

    page.get_by_text("Bunun için yetkiniz yok").wait_for()
    assert page.get_by_label("Parola").count() == 0
