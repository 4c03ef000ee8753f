"""The planner's views in both languages, both themes, on a phone and on a screen, judged by axe."""

import pytest
from planner import write_planner
from test_every_view import LOOKS, assert_accessible, look

__all__ = ["look"]
ADDRESSES = {
    "forecast": "forecast",
    "series": "forecast/ankara/RLM-6204",
    "overrides": "overrides",
    "scenarios": "scenarios",
    "scenario": "scenarios/{scenario}",
    "excel": "excel",
}


@pytest.fixture
def busy_site(make_site):
    """With overrides, one of which warns, and a scenario, made by the planner ayse."""
    made = make_site()
    write_planner(made.plant)
    made.user()
    return made


def prepare(page):
    """What the planner has said by now; gives the scenario's id."""
    return page.evaluate(
        """async () => {
            const { api, at } = await import(document.querySelector("script[type=module]").src.replace("app.js", "api.js"));
            const change = { site: "ankara", product: "RLM-6204", first: "2026-03-02", last: "2026-03-08", how: "percent", value: 12.5 };
            await api.post(at("acme", "overrides"), { ...change, reason: "Tender", expires_at: "2026-03-09T00:00:00Z" });
            await api.post(at("acme", "overrides"), { ...change, product: null, reason: "Soon over", expires_at: "2026-03-02T20:00:00Z" });
            const made = await api.post(at("acme", "scenarios"), { name: "What if", copy_of: "final" });
            await api.post(at("acme", "links"), { name: "Weekly sheet", what: "plan", filters: { site: ["ankara"] } });
            return made.scenario_id;
        }"""
    )


@pytest.mark.parametrize(("language", "theme", "width"), LOOKS)
def test_every_view_of_the_planner_is_accessible(busy_site, look, enter, language, theme, width):
    expect = pytest.importorskip("playwright.sync_api").expect
    page = look(busy_site, language, theme, width)
    enter(page, busy_site)
    page.locator("nav [aria-current=page]").wait_for(state="attached")  # the page goes to its first place by itself
    scenario = prepare(page)
    for name, address in ADDRESSES.items():
        page.goto(f"/app/#/acme/{address.format(scenario=scenario)}")
        page.locator("main h1").wait_for()
        expect(page.locator("main .busy, main [aria-busy=true]")).to_have_count(0, timeout=15_000)
        assert_accessible(page, f"{name}-{language}-{theme}-{width}")
    page.goto("/app/#/acme/forecast/ankara/RLM-6204")
    page.locator(".section-head button.main").click()
    page.get_by_role("dialog").wait_for()
    assert_accessible(page, f"dialog-{language}-{theme}-{width}")
    page.keyboard.press("Escape")
    page.locator(".side").evaluate("it => (it.open = true)")
    page.locator(".chart-numbers summary").click()
    page.locator(".chart-plot").focus()
    page.keyboard.press("ArrowRight")
    assert_accessible(page, f"opened-{language}-{theme}-{width}")
