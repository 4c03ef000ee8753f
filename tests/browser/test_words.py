"""The words of the page: whole in both languages, with the numbers and plurals of each."""

import re

import pytest

from expectations.tables import TABLES
from jobs.catalogue import JOBS
from jobs.demand_drift import MEANING
from models.demand import fallback
from models.demand.periods import PERIODS
from serving import web
from serving.identity.roles import ROLES, SCOPES
from serving.problems import KINDS

CODE = {name: file.body.decode() for name, file in web.read().items() if name.endswith(".js") and "vendor/" not in name}


@pytest.fixture
def words(site, make_page):
    """Evaluates JavaScript in which `i18n` and `words` are the page's modules."""
    page = make_page(site)
    page.goto("/app/")
    at = page.locator("script[type=module]").get_attribute("src").rpartition("/")[0]

    def evaluate(code, language="tr"):
        return page.evaluate(
            f"""async () => {{
                const [i18n, words] = await Promise.all([import('{at}/i18n.js'), import('{at}/words.js')]);
                i18n.setLanguage('{language}');
                return ({code});
            }}"""
        )

    return evaluate


def needed():
    """Every key that the code asks for by its whole name, and those made of codes of the platform."""
    asked = {key for text in CODE.values() for key in re.findall(r"""\bt\(\s*"([\w.-]+)\"""", text)}
    asked |= {f"problem.{kind}" for kind in KINDS}
    asked |= {f"table.{contract.name}" for contract in TABLES.contracts}
    asked |= {f"job.{job}" for job in JOBS}
    asked |= {f"measure.{measure}" for measure in MEANING}
    asked |= {f"scope.{scope}" for scope in SCOPES}
    asked |= {f"role.{role}" for role in ROLES}
    return asked | {f"place.{name}" for name in re.findall(r'name: "(\w+)"', CODE["places.js"])}


def test_both_languages_know_the_same_words(words):
    keys = words("Object.fromEntries(Object.entries(i18n.DICTIONARIES).map(([l, d]) => [l, Object.keys(d)]))")

    assert set(keys["tr"]) == set(keys["en"])


def test_every_word_that_is_asked_for_is_there(words):
    known = set(words("Object.keys(i18n.DICTIONARIES.tr)"))

    assert len(needed()) > 150
    assert needed() - known == set()


def test_both_languages_fill_the_same_places(words):
    places = """Object.keys(i18n.DICTIONARIES.tr).filter((key) => {
        const of = (l) => JSON.stringify([...new Set(JSON.stringify(i18n.DICTIONARIES[l][key]).match(/\\{\\w+\\}/g))].sort());
        return of('tr') !== of('en');
    })"""

    assert words(places) == []


@pytest.mark.parametrize(
    ("language", "code", "shown"),
    [
        ("tr", "i18n.fmt.number(1234567.8, 1)", "1.234.567,8"),
        ("en", "i18n.fmt.number(1234567.8, 1)", "1,234,567.8"),
        ("tr", "i18n.fmt.percent(0.1234, 1)", "%12,3"),
        ("en", "i18n.fmt.percent(0.1234, 1)", "12.3%"),
        ("tr", "i18n.fmt.date('2026-03-01')", "1 Mar 2026"),
        ("en", "i18n.fmt.date('2026-02-01')", "1 Feb 2026"),
        ("tr", "(i18n.setCurrency('TRY'), i18n.fmt.money(1234.5))", "₺1.235"),
        ("en", "(i18n.setCurrency('TRY'), i18n.fmt.money(1234.5))", "TRY\u00a01,235"),
        ("tr", "(i18n.setCurrency('EUR'), i18n.fmt.money(84.5, {digits: 2}))", "€84,50"),
        ("en", "(i18n.setCurrency('EUR'), i18n.fmt.money(-1234.5, {isSigned: true}))", "-€1,235"),
        ("tr", "(i18n.setCurrency(null), i18n.fmt.money(1234.5))", "1.235"),
        ("tr", "i18n.fmt.written('2026-03-01')", "1 Mart 2026 Pazar"),
        ("en", "i18n.fmt.written('2026-03-01').replace(',', '')", "Sunday 1 March 2026"),
        ("en", "i18n.fmt.written('')", ""),
        ("tr", "i18n.fmt.ago(7300)", "2 saat önce"),
        ("en", "i18n.fmt.ago(90000)", "yesterday"),
        ("tr", "i18n.fmt.moment('2026-03-02T03:40:00Z')", "2 Mar 06:40"),
        ("en", "i18n.fmt.signed(-5)", "-5"),
        ("tr", "i18n.fmt.number(null)", "–"),
        ("en", "i18n.t('exceptions', {n: 1})", "1 thing to look at today"),
        ("en", "i18n.t('exceptions', {n: 2})", "2 things to look at today"),
        ("tr", "i18n.t('exceptions', {n: 1200})", "Bugün 1.200 konuya bakın"),
    ],
)
def test_numbers_dates_and_plurals_are_as_the_language_writes_them(words, language, code, shown):
    assert words(code, language) == shown


@pytest.mark.parametrize("period", PERIODS.values())
def test_the_reasons_of_fallbacks_are_told_in_turkish(words, period):
    reasons = [fallback.NO_CHAMPION, fallback.NO_SKILL, fallback.dead_reason(period)]
    reasons += ["first sold 3 days ago, a model needs 56", "9 of the last 28 weeks are known, a model needs 20"]

    told = words(f"{reasons}.map(words.fallbackReason)")

    assert [one for one in told if re.search(r"\b(no|sold|ago|known|champion)\b", one)] == []
    assert all(number in told[2] for number in re.findall(r"\d+", reasons[2]))


def test_what_has_no_words_is_shown_as_it_is(words):
    shown = "[words.jobName('x-y'), words.fallbackReason('other'), words.tableName({contract: 'z', zone: 'gold'})]"

    assert words(shown) == ["x-y", "other", "z"]


def test_a_word_that_there_is_not_is_no_silent_gap(words):
    with pytest.raises(Exception, match='no words for "nirvana"'):
        words("i18n.t('nirvana')")
