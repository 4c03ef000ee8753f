"""The planner's morning in the page: from an exception over its forecast and why to an override and what became of it."""

import re

import pytest
from openpyxl import load_workbook
from planner import write_planner

from serving.web import FOLDER

WORDS = {
    "tr": {
        "override": "Tahmini düzelt",
        "percent": "Yüzde (azaltmak için −)",
        "reason": "Gerekçe",
        "save": "Düzeltmeyi kaydet",
        "why": "Neden bu tahmin?",
        "told": "Önümüzdeki 28 gün için 280 adet.",
        "baseline": "Tahmin",
        "final": "Düzeltilmiş plan",
        "table": "Sayıları tablo olarak göster",
        "typed": "12,5",
        "shown": "+%12,5",
        "details": "ayrıntı",
        "withdraw": "Geri al",
    },
    "en": {
        "override": "Override the forecast",
        "percent": "Percent (− to lower)",
        "reason": "Reason",
        "save": "Save the override",
        "why": "Why this forecast?",
        "told": "280 pieces in the next 28 days.",
        "baseline": "Forecast",
        "final": "Final plan",
        "table": "Show the numbers as a table",
        "typed": "12.5",
        "shown": "+12.5%",
        "details": "details",
        "withdraw": "Withdraw",
    },
}
EXCEL = {
    "tr": {
        "download": "Excel indir",
        "file": "Çalışma kitabı (.xlsx, en çok 16 MB)",
        "reason": "Gerekçe",
        "take": "1 değişikliği al",
        "see": "Düzeltmeleri göster",
    },
    "en": {
        "download": "Download Excel",
        "file": "Workbook (.xlsx, 16 MB at most)",
        "reason": "Reason",
        "take": "Take 1 change",
        "see": "Show the overrides",
    },
}
SCENARIO = {
    "tr": {"make": "Yeni senaryo", "name": "Ad", "add": "Değişiklik ekle", "difference": "Fark"},
    "en": {"make": "New scenario", "name": "Name", "add": "Add a change", "difference": "Difference"},
}
CHANGED = "#/acme/forecast/ankara/RLM-6204"
HEADING = "Rulman 6204 2RS"
REASON = "Müşteri siparişini öne çekti"


@pytest.fixture
def planner_site(make_site):
    """With the planner ayse, who has a second factor, and the viewer can."""
    made = make_site()
    write_planner(made.plant)
    made.user()
    made.user("can", acme="viewer")
    return made


@pytest.fixture
def open_page(planner_site, make_page, enter):
    """Opens an address of the page for a user who has signed in."""

    def open_it(address, language="tr", name="ayse", width=1280):
        page = make_page(planner_site, width)
        page.add_init_script(f"localStorage.setItem('uretimiq.language', '{language}')")
        enter(page, planner_site, name)
        page.locator("nav [aria-current=page]").wait_for()  # the page goes to its first place by itself
        page.goto(f"/app/{address}")
        return page

    return open_it


def override(page, words, value):
    page.get_by_role("button", name=words["override"]).click()
    page.get_by_label(words["percent"]).fill(value)
    page.get_by_label(words["reason"]).fill(REASON)
    page.get_by_role("button", name=words["save"]).click()
    page.get_by_role("dialog").wait_for(state="detached")


def rows_of(page, heading):
    """The cells of a table under a heading, by the words of its columns."""
    table = page.locator("section", has=page.get_by_role("heading", name=heading)).locator("table").first
    table.wait_for()
    names = table.locator("thead th").all_inner_texts()
    return [
        dict(zip(names, row.locator("th, td").all_inner_texts(), strict=True))
        for row in table.locator("tbody tr").all()
    ]


@pytest.mark.parametrize("language", ["tr", "en"])
def test_from_an_exception_to_an_override(planner_site, make_page, enter, language):
    words = WORDS[language]
    planner_site.second_factor("ayse")
    page = make_page(planner_site)
    page.add_init_script(f"localStorage.setItem('uretimiq.language', '{language}')")

    enter(page, planner_site)
    page.locator(f"main a[href='{CHANGED}']").first.click()
    page.get_by_role("heading", name=HEADING).wait_for()
    why = page.locator("section", has=page.get_by_role("heading", name=words["why"]))
    assert words["told"] in why.inner_text()

    override(page, words, words["typed"])

    page.locator(".figures dt", has_text=words["final"]).wait_for()
    page.get_by_text(words["table"]).click()
    first = page.locator(".chart-numbers tbody tr", has=page.locator("th", has_text="2 Mar 2026")).first
    first.wait_for()
    names = page.locator(".chart-numbers thead th").all_inner_texts()
    day = dict(zip(names, first.locator("th, td").all_inner_texts(), strict=True))
    assert set(day) >= {words["baseline"], words["final"]}
    baseline, final = number(day[words["baseline"]]), number(day[words["final"]])
    assert baseline == pytest.approx(40 * 2.4 * 1.2, abs=0.5)
    assert final == pytest.approx(40 * 2.4 * 1.2 * 1.125, abs=0.5)


def number(text):
    """Of a number in either language that has no thousands."""
    return float(text.replace(",", "."))


def test_an_override_whose_answer_was_lost_is_made_once(open_page, planner_site):
    words = WORDS["tr"]
    page = open_page(CHANGED)

    def lose(route):
        route.fetch()
        route.abort()

    page.route("**/overrides", lose, times=1)
    page.get_by_role("button", name=words["override"]).click()
    page.get_by_label(words["percent"]).fill("10")
    page.get_by_label(words["reason"]).fill(REASON)
    page.get_by_role("button", name=words["save"]).click()
    page.get_by_role("dialog").get_by_role("alert").wait_for()
    page.get_by_role("button", name=words["save"]).click()
    page.get_by_role("dialog").wait_for(state="detached")

    page.goto("/app/#/acme/overrides")
    page.locator("tbody tr", has_text=REASON).first.wait_for()
    assert page.locator("tbody tr", has_text=REASON).count() == 1


def test_a_place_first_opened_without_network_says_so_and_opens_once_it_is_back(open_page):
    page = open_page("#/acme/overview")
    page.locator("main h1").wait_for()
    page.context.set_offline(True)
    page.get_by_role("link", name="Excel").click()
    assert "Sunucuya ulaşılamıyor" in page.locator("main [role=alert]").inner_text()

    page.context.set_offline(False)
    page.get_by_role("button", name="Yeniden dene").click()
    page.get_by_role("heading", name="Canlı bağlantılar").wait_for(timeout=8_000)


def test_why_a_fallback_stood_in_is_told_in_the_readers_words(open_page):
    page = open_page("#/acme/overview")

    def fall_back(route):
        answer = route.fetch()
        told = answer.json()
        told["explanation"]["fallback_reason"] = "no champion yet"
        route.fulfill(response=answer, json=told)

    page.route("**/explanation*", fall_back)
    page.goto(f"/app/{CHANGED}")
    why = page.locator("section", has=page.get_by_role("heading", name=WORDS["tr"]["why"]))
    assert "henüz seçilmiş bir model yok" in why.inner_text()


def test_an_override_that_would_be_over_already_is_told_at_its_field(open_page):
    words = WORDS["tr"]
    page = open_page(CHANGED)
    page.get_by_role("button", name=words["override"]).click()
    page.get_by_label(words["percent"]).fill("10")
    page.get_by_label(words["reason"]).fill("uzun" * 100)
    page.locator("dialog input[type=date]").last.fill("2026-03-01")
    page.get_by_role("button", name=words["save"]).click()

    told = page.get_by_role("dialog").get_by_role("alert")
    assert told.inner_text() == "Bu gün geçmişte kaldı: daha sonraki bir gün seçin."

    page.locator("dialog input[type=date]").last.fill("2026-03-08")
    page.get_by_role("button", name=words["save"]).click()
    page.get_by_role("dialog").wait_for(state="detached")
    page.goto("/app/#/acme/overrides")
    scroll = page.locator(".scroll", has=page.locator("td", has_text="uzunuzun"))
    assert scroll.evaluate("box => box.scrollWidth <= box.clientWidth")  # a long word leaves the buttons in sight


def test_an_override_is_listed_with_its_reason_and_withdrawn(open_page):
    words = WORDS["tr"]
    page = open_page(CHANGED)
    override(page, words, "10")
    page.goto("/app/#/acme/overrides")
    row = page.locator("tbody tr", has_text=REASON)
    assert "+%10" in row.inner_text()
    assert "ayse" in row.inner_text()

    row.get_by_role("button", name=words["details"]).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name=words["withdraw"]).click()
    dialog.get_by_role("button", name=words["withdraw"]).click()
    dialog.wait_for(state="detached")

    page.get_by_text("Geçerli bir düzeltme yok").wait_for()
    page.goto("/app/#/acme/overrides?state=withdrawn")
    page.locator("tbody tr", has_text=REASON).wait_for()


def test_an_override_is_changed_and_its_history_tells_both(open_page):
    words = WORDS["en"]
    page = open_page(CHANGED, "en")
    override(page, words, "10")
    page.get_by_role("button", name=words["details"]).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Change").click()
    dialog.get_by_label(words["percent"]).fill("-5")
    dialog.get_by_role("button", name=words["save"]).click()
    dialog.wait_for(state="detached")

    page.get_by_role("button", name=words["details"]).click()
    told = page.get_by_role("dialog").locator("table").last.inner_text()

    assert "+10%" in told
    assert "-5%" in told


def test_what_another_has_changed_meanwhile_is_not_written_over(open_page):
    words = WORDS["en"]
    page = open_page(CHANGED, "en")
    override(page, words, "10")
    other = open_page(CHANGED, "en")
    for window in (page, other):
        window.get_by_role("button", name=words["details"]).click()
        window.get_by_role("dialog").get_by_role("button", name="Change").click()
        window.get_by_role("dialog").get_by_label(words["percent"]).fill("20")
    page.get_by_role("dialog").get_by_role("button", name=words["save"]).click()
    page.get_by_role("dialog").wait_for(state="detached")

    other.get_by_role("dialog").get_by_role("button", name=words["save"]).click()

    assert "Somebody else has changed this" in other.get_by_role("alert").inner_text()


def test_without_a_reason_nothing_is_saved(open_page):
    words = WORDS["tr"]
    page = open_page(CHANGED)
    page.get_by_role("button", name=words["override"]).click()
    page.get_by_label(words["percent"]).fill("abc")

    page.get_by_role("button", name=words["save"]).click()

    said = page.get_by_role("dialog").get_by_role("alert").all_inner_texts()
    assert said == ["Bir sayı yazın, örneğin 12,5.", "Gerekçeyi yazın: sonra bakanlar ve siz anlayabilesiniz."]


def test_a_viewer_sees_the_forecast_and_can_override_nothing(open_page):
    page = open_page(CHANGED, name="can")
    page.get_by_role("heading", name=HEADING).wait_for()

    assert page.get_by_role("button", name=WORDS["tr"]["override"]).count() == 0


def test_the_dialogue_is_used_by_keyboard_alone(open_page):
    page = open_page(CHANGED, "en")
    button = page.get_by_role("button", name=WORDS["en"]["override"])
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    seen = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.closest('dialog') ? 'in' : document.activeElement.tagName"))

    page.keyboard.press("Escape")

    assert seen <= {"in", "BODY"}  # between the last and the first the browser's own bar has its turn
    dialog.wait_for(state="detached")
    assert button.evaluate("it => it === document.activeElement")


def test_the_tree_is_walked_by_keyboard(open_page):
    page = open_page("#/acme/forecast", "en")
    tree = page.get_by_role("tree")
    tree.get_by_role("treeitem", name=re.compile("^ankara")).wait_for()
    tree.locator("[tabindex='0']").focus()

    def at():
        return page.evaluate("document.activeElement.querySelector('.tree-name')?.innerText")

    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    first = at()
    page.keyboard.press("a")
    page.keyboard.press("ArrowRight")
    tree.get_by_role("treeitem", name=re.compile("^Rulmanlar")).wait_for()
    page.keyboard.press("ArrowRight")
    inside = page.evaluate("document.activeElement.getAttribute('aria-level')")
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Rulmanlar").wait_for()
    page.keyboard.press("ArrowLeft")

    assert first in {"ankara", "bursa", "izmir"}
    assert inside == "3"
    assert at() == "ankara"
    assert page.url.endswith("#/acme/forecast?site=ankara&product_group=Rulmanlar")


def test_a_product_is_found_without_turkish_letters(open_page):
    page = open_page("#/acme/forecast", "tr")

    page.get_by_role("searchbox").fill("isiya")
    page.locator(".found a").first.click()

    page.get_by_role("heading", name="V kayışı B68, ısıya dayanıklı").wait_for()


def test_the_chart_is_read_with_the_arrow_keys(open_page):
    page = open_page(CHANGED, "tr")
    chart = page.get_by_role("slider")
    chart.focus()

    page.keyboard.press("ArrowRight")

    told = chart.get_attribute("aria-valuetext")
    assert told.startswith("3 Mart 2026 Sal, ")
    assert "Tahmin 115" in told
    assert page.locator(".chart-tip").is_visible()


def test_a_node_shows_the_sum_of_what_it_holds(open_page):
    page = open_page("#/acme/forecast?site=ankara", "en")
    rows = rows_of(page, "What it holds, largest change first")

    total = page.locator(".figures dd.main").first.inner_text()

    assert sum(int(row["Forecast"].replace(",", "")) for row in rows) == pytest.approx(
        int(total.replace(",", "")), abs=len(rows)
    )
    assert rows[0]["Product or group"] == "Rulmanlar"


@pytest.fixture(scope="module")
def module(browser):
    """Calls a function of a module of the page."""
    page = browser.new_page()

    def serve(route):
        path = FOLDER / route.request.url.split("/", 3)[3]
        route.fulfill(path=path) if path.is_file() else route.fulfill(body="<p>", content_type="text/html")

    page.route("**/*", serve)
    page.goto("http://uretimiq.example/")
    run = "async ([name, fn, given]) => (await import(`/${name}`))[fn](...given)"
    yield lambda name, function, *given: page.evaluate(run, [name, function, given])
    page.close()


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("12,5", "tr", 12.5),
        ("12.5", "tr", 12.5),
        ("1.250", "tr", 1250),
        ("1.250", "en", 1.25),
        ("1,250", "en", 1250),
        ("1.250,5", "en", 1250.5),
        ("−3", "tr", -3),
        ("%20", "tr", 20),
        ("-%20", "tr", -20),
        ("+20 %", "en", 20),
        ("10+5", "tr", None),
        ("5%5", "en", None),
        ("1,2,3", "tr", None),
        ("zehn", "en", None),
        ("", "en", None),
    ],
)
def test_numbers_are_read_as_people_write_them(text, language, expected, module):
    assert module("views/parts/number_text.js", "numberOf", text, language) == expected


@pytest.mark.parametrize("language", ["tr", "en"])
def test_a_plan_goes_out_as_a_workbook_and_comes_back(open_page, tmp_path, language):
    words = EXCEL[language]
    page = open_page("#/acme/excel", language)
    with page.expect_download() as taken:
        page.get_by_role("button", name=words["download"]).click()
    path = tmp_path / taken.value.suggested_filename
    taken.value.save_as(path)
    book = load_workbook(path)
    cell = book.worksheets[0]["D2"]
    before = cell.value
    cell.value = 500
    book.save(path)

    page.get_by_label(words["file"]).set_input_files(path)

    row = page.locator("tbody tr", has=page.locator("code", has_text="D2"))
    row.wait_for()
    shown = row.inner_text().replace(",", ".")
    assert f"{before:.0f}" in shown
    assert "500" in shown
    page.get_by_label(words["reason"]).fill(REASON)
    page.get_by_role("button", name=words["take"]).click()
    page.get_by_role("link", name=words["see"]).click()
    page.locator("tbody tr", has_text=REASON).wait_for()


def test_a_workbook_that_is_none_changes_nothing(open_page, tmp_path):
    path = tmp_path / "notes.xlsx"
    path.write_bytes(b"no workbook")
    page = open_page("#/acme/excel", "en")

    page.get_by_label(EXCEL["en"]["file"]).set_input_files(path)

    assert "not a workbook of the plan" in page.get_by_role("alert").inner_text()


def test_a_live_link_is_told_once_and_ended(open_page):
    page = open_page("#/acme/excel", "en")
    page.get_by_role("button", name="New link").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Weekly sheet")
    dialog.get_by_role("button", name="New link").click()

    url = dialog.get_by_label("Address").input_value()
    live = page.request.get(url)
    dialog.get_by_role("button", name="Close").last.click()
    page.get_by_role("button", name="End the link Weekly sheet").click()
    page.locator("tbody tr", has_text="Weekly sheet").get_by_text("ended", exact=True).wait_for()

    assert live.text().count("\n") > 28
    assert page.request.get(url).status == 404


@pytest.mark.parametrize("language", ["tr", "en"])
def test_a_scenario_is_made_changed_and_compared(open_page, language):
    words = SCENARIO[language]
    page = open_page("#/acme/scenarios", language)
    page.get_by_role("button", name=words["make"]).click()
    page.get_by_role("dialog").get_by_label(words["name"]).fill("İhale")
    page.get_by_role("dialog").get_by_role("button", name=words["make"]).click()
    page.get_by_role("heading", name="İhale").wait_for()
    page.get_by_role("button", name=words["add"]).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("treeitem", name=re.compile("^ankara")).click()
    dialog.get_by_label(WORDS[language]["percent"]).fill("10")
    dialog.get_by_role("button", name=words["add"]).click()
    dialog.wait_for(state="detached")

    row = page.locator("section", has=page.get_by_role("heading", name=words["difference"])).locator("tbody tr").last

    row.get_by_text("ankara", exact=True).wait_for()
    mine, other, difference = (number_of(row.locator("td").nth(i).inner_text(), language) for i in range(3))
    assert difference == pytest.approx(mine - other, abs=1)
    assert difference > 0


def test_a_scenario_gets_another_name(open_page):
    page = open_page("#/acme/scenarios", "tr")
    page.get_by_role("button", name="Yeni senaryo").click()
    page.get_by_role("dialog").get_by_label("Ad").fill("İhale")
    page.get_by_role("dialog").get_by_role("button", name="Yeni senaryo").click()
    page.get_by_role("button", name="Adını değiştir").click()
    page.get_by_role("dialog").get_by_label("Ad").fill("İhale, iyimser")
    page.keyboard.press("Enter")

    page.get_by_role("heading", name="İhale, iyimser").wait_for()
    page.get_by_role("link", name="← Senaryolar").click()
    page.get_by_role("rowheader", name="İhale, iyimser").wait_for()
    page.get_by_text("1 senaryo", exact=True).wait_for()


def test_an_answer_that_does_not_come_is_told_and_asked_for_again(open_page):
    page = open_page("#/acme/excel", "tr")
    page.get_by_role("heading", name="Excel", level=1).wait_for()
    page.clock.install()
    held = []
    page.route("**/scenarios?*", lambda route, _: held.append(route))
    page.goto("/app/#/acme/scenarios")
    page.wait_for_function("() => document.querySelector('main .busy')")
    with page.expect_event("requestfailed"):
        page.clock.fast_forward(21_000)
    page.get_by_text("Sunucu zamanında yanıt vermedi").wait_for()
    page.unroute("**/scenarios?*")
    page.get_by_role("button", name="Yeniden dene").click()

    page.get_by_role("button", name="Yeni senaryo").wait_for()


def test_the_overrides_come_page_by_page_with_their_number(open_page):
    page = open_page("#/acme/excel", "tr")
    page.get_by_role("heading", name="Excel", level=1).wait_for()
    page.evaluate(
        """async () => {
            const { api, at } = await import(document.querySelector("script[type=module]").src.replace("app.js", "api.js"));
            const said = { site: "ankara", product: "RLM-6204", first: "2026-03-20", last: "2026-03-20", how: "percent" };
            for (let n = 0; n < 103; n += 1) await api.post(at("acme", "overrides"), { ...said, value: n + 1, reason: `no ${n}` });
        }"""
    )
    page.goto("/app/#/acme/overrides")
    page.get_by_text("103 düzeltmeden 100 tanesi gösteriliyor").wait_for()
    page.get_by_role("button", name="Daha fazla").click()

    page.get_by_text("103 düzeltme", exact=True).wait_for()


def test_an_expiry_left_empty_ends_each_override_with_its_own_last_day(open_page, tmp_path):
    page = open_page("#/acme/excel", "tr")
    with page.expect_download() as taken:
        page.get_by_role("button", name="Excel indir").click()
    path = tmp_path / "plan.xlsx"
    taken.value.save_as(path)
    book = load_workbook(path)
    book.worksheets[0]["D2"].value = 500
    book.save(path)
    page.get_by_label(EXCEL["tr"]["file"]).set_input_files(path)
    page.get_by_text("Boş bırakılırsa her düzeltme kendi son gününün").wait_for()
    assert page.get_by_label("Geçerlilik sonu").input_value() == ""
    page.get_by_label("Gerekçe").fill(REASON)
    page.get_by_role("button", name="1 değişikliği al").click()
    page.get_by_role("link", name="Düzeltmeleri göster").click()

    page.get_by_text("3 Mar 03:00 tarihine kadar").wait_for()  # midnight in UTC


def test_a_live_link_without_an_end_is_told_at_its_field(open_page):
    page = open_page("#/acme/excel", "en")
    page.get_by_role("button", name="New link").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("x")
    dialog.get_by_label("Valid until").fill("")
    page.keyboard.press("Enter")

    dialog.get_by_role("alert").get_by_text("Choose a date.").wait_for()


def number_of(text, language):
    """Of a whole number as the language writes it."""
    return float(text.replace("." if language == "tr" else ",", "").replace("+", ""))
