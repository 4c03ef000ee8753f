"""What tries to reach for more, over every address of the OpenAPI document: SQL, paths, bodies without end."""

from urllib.parse import quote

import pytest

from serving.identity.roles import SCOPES, Caller

OTHER = "zebra"  # another tenant; all that is its own bears the word
TEXTS = (
    "' OR 1=1 --",
    "x' UNION SELECT * FROM users --",
    "'; DROP TABLE overrides; --",
    "../../state/state.db",
    "..%2f..%2fetc%2fpasswd",
    "acme\x00",
    "%",
)
NUMBERS = {"integer", "number", "boolean"}


@pytest.fixture
def acme(plant, api):
    """The headers of a key that may do everything at acme; both tenants have a night."""
    plant.night()
    plant.series()
    plant.night(OTHER, series=[("zebra-site", "zebra-1")], fallback_reason=OTHER)
    plant.run(OTHER, job="silver", status="failed", reason=OTHER)
    made = api.identity.keys.add(Caller("test"), "acme", "everything", list(SCOPES))
    return {"Authorization": f"Bearer {made.key}"}


def operations(api, *methods):
    paths = api.get("/openapi.json").json()["paths"]
    found = [(m, path, op) for path, of in paths.items() for m, op in of.items() if m in methods]
    assert len(found) > 5
    return found


def fill(path, text):
    """The address with acme for the tenant and the text for all else that its path names."""
    while "{" in path:
        before, _, rest = path.partition("{")
        name, _, after = rest.partition("}")
        path = before + ("acme" if name == "tenant" else quote(text, safe="")) + after
    return path


def texts_of(operation):
    """The query parameters that take a text."""
    found = [p for p in operation.get("parameters", ()) if p["in"] == "query"]
    return [p["name"] for p in found if p["schema"].get("type") not in NUMBERS]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_in_a_query_shows_nothing_of_others_and_breaks_nothing(api, acme, text):
    before = api.get("/v1/tenants/acme/forecasts", headers=acme).json()["total"]

    for method, path, operation in operations(api, "get"):
        for name in texts_of(operation):
            if (path, name) == ("/v1/status", "tenant"):
                continue
            answer = api.request(method, fill(path, "P-1"), params={name: text}, headers=acme)
            assert answer.status_code < 500, (path, name, answer.text[:200])
            assert OTHER not in answer.text, (path, name, answer.text[:200])
    assert api.get("/v1/tenants/acme/forecasts", headers=acme).json()["total"] == before


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_in_a_path_finds_nothing(api, acme, text):
    for method, path, _ in operations(api, "get", "delete"):
        if "{" in path.replace("{tenant}", ""):
            answer = api.request(method, fill(path, text), headers=acme | {"If-Match": '"1"'})
            assert answer.status_code in {400, 401, 404, 405, 422}, (method, path, answer.text[:200])
            assert "root:" not in answer.text


@pytest.mark.parametrize("text", TEXTS)
def test_a_tenant_that_is_none_is_refused_and_written_down(api, acme, text):
    asked = [path for _, path, _ in operations(api, "get") if path.startswith("/v1/tenants/{tenant}/")]

    for path in asked:
        address = path.replace("{tenant}", quote(text, safe=""))
        answer = api.get(fill(address, "P-1"), headers=acme)
        assert answer.status_code in {403, 404, 405}, (path, answer.text[:200])
    denied = api.identity.audit.page(None, 1000, action="denied")
    assert len(denied) == len(asked)


@pytest.mark.parametrize("whose", ["known", "unknown"])
def test_a_body_without_end_is_refused_everywhere_and_written_down(api, acme, whose):
    headers = acme if whose == "known" else {"Authorization": ""}
    body = b"x" * (16 * 1024 * 1024 + 1)
    asked = operations(api, "post", "put", "patch")

    for method, path, _ in asked:
        answer = api.request(method, fill(path, "0" * 16), content=body, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (413, "urn:uretimiq:problem:too-large"), (method, path)
    denied = api.identity.audit.page(None, 1000, action="denied")
    assert [row["detail"]["kind"] for row in denied] == ["too-large"] * len(asked)
