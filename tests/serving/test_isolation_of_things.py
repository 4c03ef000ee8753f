"""What a tenant has made is neither seen nor changed under another's name: every address of the OpenAPI document is tried."""

import re
from datetime import date

import pytest
from sqlalchemy import select

from serving.identity.roles import SCOPES, Caller
from serving.state.tables import AUDIT_LOG, METADATA

OTHER = "zebra"  # all that is its own bears the word
NIGHT, LATER = date(2026, 3, 1), date(2026, 3, 2)
HAS_BODY = {"post", "put", "patch"}
# What a body or an address has under a name, where it is there; what else it must have is made up from its schema.
SAID = {
    "name": OTHER,
    "scopes": ["forecasts:read"],
    "site": "zebra-site",
    "product": "zebra-1",
    "first": "2026-03-04",
    "last": "2026-03-05",
    "how": "units",
    "value": 77.5,
    "reason": OTHER,
    "what": "plan",
}
MADE_UP = {"string": "zebra", "integer": 1, "number": 1.0, "boolean": True, "object": {}, "null": None}


@pytest.fixture
def zebra(plant, api):
    """An API over nights of both tenants; the headers of a key that may do everything at zebra."""
    for night in (NIGHT, LATER):
        plant.sums(plant.night("acme", night), night=night)
        plant.night(OTHER, night, [("zebra-site", "zebra-1")], fallback_reason=OTHER, method=OTHER)
    plant.series()
    plant.series(OTHER, LATER, [("zebra-site", "zebra-1")], product_name=OTHER)
    return headers_of(api, OTHER)


@pytest.fixture
def acme(api):
    """The headers of a key that may do everything at acme."""
    return headers_of(api, "acme")


def headers_of(api, tenant):
    made = api.identity.keys.add(Caller(f"user:{tenant}"), tenant, "everything", list(SCOPES))
    return {"Authorization": f"Bearer {made.key}"}


def operations(api):
    """(method, path, operation) of each address of a tenant."""
    paths = api.get("/openapi.json").json()["paths"]
    found = [(m, path, op) for path, of in paths.items() if "{tenant}" in path for m, op in of.items()]
    assert {"get", "post"} <= {method for method, _, _ in found}
    return found


def value_of(document, name, schema):
    """A value that fits the schema."""
    if name in SAID:
        return SAID[name]
    if "$ref" in schema:
        return body_of(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for kinds in ("anyOf", "oneOf"):
        if kinds in schema:
            return value_of(document, name, schema[kinds][0])
    if schema.get("type") == "array":
        return [value_of(document, "", schema["items"])] * schema.get("minItems", 0)
    return schema.get("const", schema.get("enum", [MADE_UP[schema.get("type", "object")]])[0])


def body_of(document, schema):
    """A body that fits the schema: what it must have, and what SAID names."""
    wanted = set(schema.get("required", ())) | (set(SAID) & set(schema.get("properties", ())))
    return {name: value_of(document, name, of) for name, of in schema.get("properties", {}).items() if name in wanted}


def ask(api, method, path, operation, headers, tenant, things):
    """Ask an address of `tenant`; what else its path names is one of `things`."""
    document = api.get("/openapi.json").json()
    names = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
    address = path.format(**{name: things.get(name, SAID.get(name, OTHER)) for name in names} | {"tenant": tenant})
    content = operation.get("requestBody", {}).get("content", {})
    more = {}
    if "application/json" in content:
        more["json"] = value_of(document, "", content["application/json"]["schema"])
    elif content:
        more = {"content": b"zebra", "headers": {"Content-Type": next(iter(content))}}
    headers = {**headers, **more.pop("headers", {}), "If-Match": '"1"'}
    return api.request(method, address, headers=headers, **more)


def make_all(api, headers):
    """Each thing that can be made by a POST, made once at zebra; the ids that its answers name."""
    things = {}
    for method, path, operation in operations(api):
        if method == "post" and path.count("{") == 1:
            answer = ask(api, method, path, operation, headers, OTHER, {})
            if answer.status_code < 300:
                told = answer.json()
                things |= {"user": told["name"]} if path.endswith("/users") else {}
                things |= {name: value for name, value in told.items() if name.endswith("_id") or name == "prefix"}
    named = {name for _, path, _ in operations(api) for name in re.findall(r"{(\w+)}", path)}
    # A series and its forecasts are no one's making, and an import takes a workbook.
    assert named - {"tenant", "site", "product", "forecast_id", "import_id"} <= set(things)
    return things


def kept(api):
    """All rows of the state database that are zebra's, but the audit log."""
    tables = [table for table in METADATA.sorted_tables if "tenant" in table.c and table is not AUDIT_LOG]
    with api.identity.audit._state.read() as connection:
        return {
            table.name: connection.execute(select(table).where(table.c.tenant == OTHER)).fetchall() for table in tables
        }


def test_no_address_of_another_tenant_lets_anybody_in(api, zebra, acme):
    things = make_all(api, zebra)
    before = kept(api)

    for method, path, operation in operations(api):
        answer = ask(api, method, path, operation, acme, OTHER, things)

        assert answer.status_code == 403, (method, path, answer.text[:200])
        assert answer.json()["detail"].endswith(f"at '{OTHER}'"), (method, path)
    assert kept(api) == before


def test_no_thing_of_another_tenant_is_found_or_changed_by_its_name(api, zebra, acme):
    things = make_all(api, zebra)
    before = kept(api)

    for method, path, operation in operations(api):
        answer = ask(api, method, path, operation, acme, "acme", things)

        assert answer.status_code < 500, (method, path, answer.text[:200])
        if any(f"{{{name}}}" in path for name in things):
            assert answer.status_code in {404, 422}, (method, path, answer.text[:200])
        assert kept(api) == before, (method, path)


def test_no_list_names_what_another_tenant_has_made(api, zebra, acme):
    things = make_all(api, zebra)

    for method, path, operation in operations(api):
        if method == "get" and path.count("{") == 1:
            answer = ask(api, method, path, operation, acme, "acme", things)
            shown = answer.text + repr(answer.headers)
            assert not [value for value in (OTHER, *map(str, things.values())) if value in shown], (path, shown[:300])


def test_who_is_nobody_gets_nothing(api, zebra):
    things = make_all(api, zebra)
    before = kept(api)

    for method, path, operation in operations(api):
        for tenant in (OTHER, "acme"):
            answer = ask(api, method, path, operation, {"Authorization": ""}, tenant, things)
            assert answer.status_code == 401, (method, path)
    assert kept(api) == before
