"""`oidc.yaml`: what is wrong in it is told with its place."""

from dataclasses import replace

import pytest
import yaml

from expectations.settings import SettingsError
from serving.identity.oidc_config import load

GRANT = {"claim": "groups", "value": "planners", "tenant": "acme", "role": "operator"}
GOOD = {"issuer": "https://login.example", "client_id": "c", "redirect": "https://x.example/v1/auth/oidc/callback"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"issuer": "http://login.example"}, "issuer: http://login.example: use https://"),
        ({"issuer": "http://127.0.0.1:9"}, "issuer: http://127.0.0.1:9: use https://"),
        ({"redirect": "https://x.example/other"}, "it ends in /v1/auth/oidc/callback"),
        ({"scopes": "profile"}, "openid is missing"),
        ({"grants": []}, "grants: a list"),
        ({"grants": [{"claim": "g"}]}, "grants: a list, of claim, role, tenant, value each"),
        ({"grants": [GRANT | {"role": "boss"}]}, "role 'boss'"),
        ({"grants": [GRANT | {"tenant": "a/b"}]}, "tenant 'a/b'"),
        ({"secret": "x"}, "give client_id, grants, issuer, redirect"),
    ],
)
def test_a_file_that_is_wrong_is_told_with_its_place(plant, change, said):
    plant.settings.home.mkdir(parents=True)
    (plant.settings.home / "oidc.yaml").write_text(yaml.safe_dump(GOOD | {"grants": [GRANT]} | change))

    with pytest.raises(SettingsError) as told:
        load(replace(plant.settings, environment="production"))
    assert str(told.value).startswith(f"{plant.settings.home}/oidc.yaml: ")
    assert said in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("text", ["", "just text", "[1, 2]", "a: [", "issuer: x"])
def test_a_file_that_is_none_is_told(plant, text):
    plant.settings.home.mkdir(parents=True)
    (plant.settings.home / "oidc.yaml").write_text(text)

    with pytest.raises(SettingsError, match=r"oidc\.yaml: "):
        load(plant.settings)
