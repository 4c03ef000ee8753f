"""Signing in by the page: password, code, lock-out, the session that goes on by itself, and its end."""


def test_a_user_signs_in_and_is_named(site, make_page, enter):
    page = make_page(site)

    enter(page, site)

    assert page.locator(".who").inner_text() == "ayse"
