"""Every address by every role, by keys, and by those of another tenant: the routes' own scopes say who may."""

import pytest
from fastapi.routing import APIRoute

from serving.identity.access import Where
from serving.identity.documents import access_of
from serving.identity.roles import EVERY, ROLES, SCOPES
from serving.problems import TYPE_PREFIX

OPEN = {
    ("GET", "/"),
    ("GET", "/docs"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("POST", "/v1/auth/token"),
    ("POST", "/v1/auth/revoke"),
    ("POST", "/v1/auth/browser/sign-in"),
    ("POST", "/v1/auth/browser/refresh"),
    ("POST", "/v1/auth/browser/sign-out"),
    ("GET", "/v1/auth/oidc/start"),
    ("GET", "/v1/auth/oidc/callback"),
    ("GET", "/v1/live/{secret}"),  # the secret says who may
}
CHANGES_HIMSELF = "/v1/me"  # his own password and second factor, whoever he is
FILL = {"forecast_id": "4be1", "site": "ankara", "product": "P-1", "prefix": "urt_key_00000000", "user": "nobody"}
FILL |= {"override_id": "0" * 16, "scenario_id": "0" * 16, "link_id": "0" * 16, "import_id": "0" * 16}
BODY = {"name": "k", "scopes": ["forecasts:read"]}


def routes(api):
    """(method, path, what it asks) of each address that asks for something."""
    found = [
        (method, route.path, access)
        for route in api.app.routes
        for access in access_of(route)
        for method in sorted(route.methods)
    ]
    assert len(found) > 10
    return found


def address_of(path, tenant, where):
    address = path.format(**FILL, tenant=tenant)
    return f"{address}?tenant={tenant}" if where is Where.QUERY else address


def ask(api, method, address, headers):
    answer = api.request(method, address, headers=headers, json=BODY if method == "POST" else None)
    kind = answer.json().get("type", "").removeprefix(TYPE_PREFIX) if answer.status_code >= 400 else ""
    return answer.status_code, kind


def is_let_in(status, kind):
    """Refusals are 401 and 403; what else is answered was answered to one who may ask."""
    assert status < 500 or kind == "no-night-yet", (status, kind)
    return status not in {401, 403}


def test_every_address_says_who_may_use_it_or_is_known_to_be_open(api):
    for route in api.app.routes:
        for method in getattr(route, "methods", ()):
            if (method, route.path) in OPEN or route.path == "/openapi.json" or method == "HEAD":
                continue
            assert isinstance(route, APIRoute)
            assert len(access_of(route)) == 1, f"{method} {route.path}: give it Access(scope), once"


def test_an_address_with_a_tenant_in_its_path_is_judged_by_that_tenant(api):
    for _, path, access in routes(api):
        if access.scope:
            assert (access.where is Where.PATH) == ("{tenant}" in path), path


def test_every_scope_is_asked_by_an_address_and_had_by_a_role(api):
    asked = {access.scope for _, _, access in routes(api)} - {None}

    assert asked == set(SCOPES) == set().union(*ROLES.values())


def test_who_changes_something_needs_a_scope_that_is_no_reading_one(api):
    for method, path, access in routes(api):
        if access.scope:
            assert access.scope.endswith(":read") == (method == "GET"), path


def test_an_auditor_reads_everything_and_changes_nothing(api):
    assert ROLES["auditor"] == {scope for scope in SCOPES if scope.endswith(":read")}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_what_its_scopes_say_at_its_tenant_alone(plant, api, visitor, role):
    headers = visitor.headers(f"{role}-acme")

    for method, path, access in routes(api):
        if path.startswith(CHANGES_HIMSELF) and method == "POST":
            continue
        may = access.scope is None or (access.scope in ROLES[role] and access.where is not Where.PLATFORM)
        own, theirs = (address_of(path, tenant, access.where) for tenant in ("acme", "zebra"))
        assert is_let_in(*ask(api, method, own, headers)) == may, (role, method, own)
        if access.scope:
            assert ask(api, method, theirs, headers) == (403, "forbidden"), (role, method, theirs)
        if access.where is Where.QUERY:
            assert ask(api, method, path, headers) == (403, "forbidden"), (role, method, path)


def test_an_admin_of_all_tenants_is_let_in_everywhere(plant, api, visitor):
    headers = visitor.headers("root")

    for method, path, access in routes(api):
        if not path.startswith(CHANGES_HIMSELF):
            address = address_of(path, "zebra", access.where)
            assert is_let_in(*ask(api, method, address, headers)), (method, address)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_opens_its_scope_at_its_tenant_alone(plant, api, visitor, scope):
    made = api.identity.keys.add(_setup(), "acme", "one scope", [scope])
    headers = {"Authorization": f"Bearer {made.key}"}

    for method, path, access in routes(api):
        own, theirs = (address_of(path, tenant, access.where) for tenant in ("acme", "zebra"))
        may = access.scope == scope and access.where is not Where.PLATFORM
        status, kind = ask(api, method, own, headers)
        # a key with keys:write alone can make no key with a scope that it lacks itself
        if not (scope == "keys:write" and path.endswith("/keys") and method == "POST"):
            assert is_let_in(status, kind) == may, (scope, method, own)
        assert not is_let_in(*ask(api, method, theirs, headers)), (scope, method, theirs)


def test_without_credentials_nothing_but_the_open_addresses_answers(api):
    for method, path, access in routes(api):
        for tenant in ("acme", "nobody"):
            address = address_of(path, tenant, access.where)
            assert ask(api, method, address, {"Authorization": ""}) == (401, "unauthorized"), (method, address)


def test_a_tenant_that_there_is_and_one_that_there_is_not_are_refused_alike(plant, api, visitor):
    plant.night("zebra")
    headers = visitor.headers("admin-acme")

    told = [api.get(f"/v1/tenants/{tenant}/forecasts", headers=headers).json() for tenant in ("zebra", "nobody")]

    assert [answer["detail"].replace("zebra", "nobody") for answer in told] == [told[1]["detail"]] * 2
    assert told[0]["status"] == 403


@pytest.mark.parametrize("query", ["tenant=acme&tenant=zebra", "tenant=zebra&tenant=acme"])
def test_a_tenant_given_twice_is_judged_and_answered_as_the_same_one(plant, api, visitor, query):
    plant.run("zebra", job="silver", status="failed", reason="zebra lost its stripes")

    answer = api.get(f"/v1/status?{query}", headers=visitor.headers("admin-acme"))

    assert "stripes" not in answer.text
    assert answer.status_code == (403 if query.endswith("zebra") else 200)


def test_a_role_at_one_tenant_and_another_at_a_second_do_not_mix(api, visitor):
    api.identity.users.grant(_setup(), "admin-acme", {"zebra": "viewer"})
    headers = visitor.headers("admin-acme")

    assert api.get("/v1/tenants/acme/audit", headers=headers).status_code == 200
    assert api.get("/v1/tenants/zebra/audit", headers=headers).status_code == 403


def test_a_role_that_is_not_known_any_more_opens_nothing():
    from serving.identity.roles import scopes_of

    assert scopes_of({"acme": "boss"}) == {"acme": frozenset()}


def test_the_star_of_all_tenants_is_no_tenant_of_a_users_own(api, visitor):
    assert api.get(f"/v1/tenants/{EVERY}/keys", headers=visitor.headers("admin-acme")).status_code == 403


def _setup():
    from serving.identity.roles import Caller

    return Caller("test")
