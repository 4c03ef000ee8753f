"""The page as it is served: kept by browsers as long as it stays the same, shut off by its policy, whole where installed."""

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from serving import web

REPOSITORY = Path(__file__).resolve().parents[2]
FILES = sorted(path.relative_to(web.FOLDER).as_posix() for path in web.FOLDER.rglob("*") if path.is_file())


@pytest.fixture
def at(api):
    """Where the files of this version lie."""
    return re.search(r'src="(/app/static/[0-9a-f]{12})/app.js"', api.get("/app/").text)[1]


def test_the_root_and_the_page_without_its_slash_lead_to_the_page(api):
    for address in ("/", "/app"):
        assert api.get(address, follow_redirects=False).headers["location"].endswith("/app/")


def test_the_page_is_asked_for_anew_and_is_not_sent_again_where_it_is_the_same(api):
    first = api.get("/app/")

    again = api.get("/app/", headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")


def test_a_file_of_this_version_is_kept_for_good(api, at):
    answer = api.get(f"{at}/app.js")

    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/javascript")
    assert api.get(f"{at}/app.js", headers={"If-None-Match": f"W/{answer.headers['etag']}"}).status_code == 304


@pytest.mark.parametrize("known", ["*", '"other", {}', 'W/"other",W/{}'])
def test_what_the_browser_has_is_told_by_any_form_of_if_none_match(api, known):
    etag = api.get("/app/").headers["etag"]

    assert api.get("/app/", headers={"If-None-Match": known.format(etag)}).status_code == 304
    assert api.get("/app/", headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_page_from_before_an_update_gets_todays_file_and_does_not_keep_it(api, at):
    old = api.get("/app/static/000000000000/app.js")

    assert (old.text, old.headers["cache-control"]) == (api.get(f"{at}/app.js").text, "no-cache")


def test_a_changed_file_changes_the_address_of_all(tmp_path):
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((web.FOLDER / name).read_bytes())
    before = web.version_of(web.read(tmp_path))

    (tmp_path / "theme.css").write_text("body{}")

    assert web.version_of(web.read(tmp_path)) != before


@pytest.mark.parametrize("name", ["nothing.js", "../web.py", "..%2fweb.py", "%2e%2e/app.py", "views", "/etc/passwd"])
def test_nothing_but_the_pages_files_is_there(api, at, name):
    assert api.problem(f"{at}/{name}")["status"] == 404


def test_the_page_may_load_from_here_alone_and_the_api_answers_keep_their_own_policy(api, at):
    policy = api.get("/app/").headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert not any(loose in policy.partition("style-src")[0] for loose in ("unsafe", "http", "*", "data:"))
    assert api.get(f"{at}/app.js").headers["content-security-policy"] == policy
    assert "script-src" not in api.get("/healthz").headers["content-security-policy"]


def test_the_page_names_no_address_outside(api):
    inside = ("http://www.w3.org/2000/svg",)
    for name in (one for one in FILES if not one.startswith("vendor/")):
        told = (web.FOLDER / name).read_text()
        assert [a for a in re.findall(r"https?://[^\s\"'`]+", told) if not a.startswith(inside)] == [], name


def test_the_company_login_is_offered_where_there_is_one():
    offered = {known: web.index(web.read(), "/x", company_login=known).decode() for known in (True, False)}

    assert 'name="company-login" content="yes"' in offered[True]
    assert 'name="company-login" content="no"' in offered[False]


def test_every_module_that_the_page_asks_for_beforehand_is_there(api):
    asked = re.findall(r'(?:src|href)="([^"]+)"', api.get("/app/").text)

    assert len(asked) > 8
    assert [address for address in asked if api.get(address).status_code != 200] == []


def test_the_libraries_are_as_released():
    told = (web.FOLDER / "vendor" / "README.md").read_text()
    sums = dict(re.findall(r"^\| (\S+\.(?:js|css)) \|.*\| ([0-9a-f]{64}) \|$", told, re.MULTILINE))
    there = {path.name: path for path in (web.FOLDER / "vendor").iterdir() if path.suffix in {".js", ".css"}}

    assert sums == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in there.items()}
    assert len(sums) == 3


def test_an_installed_api_has_the_page():
    package = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    packed = {
        p.relative_to(web.FOLDER).as_posix() for g in package["serving"] for p in (REPOSITORY / "serving").glob(g)
    }

    assert set(FILES) <= packed
