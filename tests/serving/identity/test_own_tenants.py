"""/v1/me/tenants: where a user may go, and what he may do there."""

from serving.identity.roles import EVERY, ROLES, Caller

TENANTS, SETUP = "/v1/me/tenants", Caller("test")


def tenants(api, headers):
    answer = api.get(TENANTS, headers=headers)
    assert answer.status_code == 200, answer.text
    return {row["tenant"]: (row["role"], set(row["scopes"])) for row in answer.json()["tenants"]}


def test_a_user_is_told_his_tenants_with_what_his_role_allows(plant, api, visitor):
    plant.night("zebra")
    headers = visitor.headers("viewer-acme")

    assert tenants(api, headers) == {"acme": ("viewer", ROLES["viewer"])}


def test_a_role_everywhere_counts_at_each_tenant_that_ran_beside_one_of_its_own(plant, api, visitor):
    plant.night("acme")
    plant.night("zebra")
    api.identity.users.add(SETUP, "ece", "korrekt pferd batterie", {EVERY: "auditor", "acme": "operator"})

    told = tenants(api, visitor.headers("ece"))

    assert told == {
        "acme": ("operator", ROLES["operator"] | ROLES["auditor"]),
        "zebra": ("auditor", ROLES["auditor"]),
    }


def test_a_key_is_no_user(api):
    assert api.problem(TENANTS)["kind"] == "forbidden"
