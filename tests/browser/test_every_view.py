"""Every place in both languages, both themes, on a phone and on a screen: no rule of WCAG broken, nothing cut off."""

import os
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

LOOKS = [(language, theme, width) for language in ("tr", "en") for theme in ("light", "dark") for width in (360, 1280)]
PLACES = ("overview", "quality", "keys", "users", "audit", "account")
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
SHOTS = os.environ.get("URETIMIQ_SHOTS")  # a folder, for those who want to look


def assert_accessible(page, name):
    if SHOTS:
        page.screenshot(path=Path(SHOTS, f"{name}.png"), full_page=True)
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": WCAG}}).response
    assert found["passes"], "axe looked at nothing"
    told = [f"{rule['id']}: {node['html'][:150]}" for rule in found["violations"] for node in rule["nodes"]]
    assert told == [], name
    is_wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not page.evaluate(is_wider), f"{name}: the page scrolls sideways"


@pytest.fixture
def look(make_page):
    """A window in which language and theme were chosen at an earlier visit."""

    def open_it(site, language, theme, width):
        page = make_page(site, width, reduced_motion="reduce")
        chosen = {"language": language, "theme": theme}
        for name, value in chosen.items():
            page.add_init_script(
                f"localStorage.getItem('uretimiq.{name}') ?? localStorage.setItem('uretimiq.{name}', '{value}')"
            )
        return page

    return open_it


@pytest.mark.parametrize(("language", "theme", "width"), LOOKS)
def test_every_place_is_accessible(rich_site, look, enter, language, theme, width):
    page = look(rich_site, language, theme, width)
    page.goto("/")
    page.locator("[name=username]").wait_for()
    assert_accessible(page, f"signin-{language}-{theme}-{width}")
    enter(page, rich_site, "admin")
    for place in PLACES:
        page.goto(f"/app/#/acme/{place}")
        page.locator(f"nav [aria-current=page][href='#/acme/{place}']").wait_for(state="attached")
        page.locator("main h1").wait_for()
        expect(page.locator(".busy")).to_have_count(0, timeout=60_000)
        assert_accessible(page, f"{place}-{language}-{theme}-{width}")
