"""Every address as its OpenAPI document tells it, asked with what fits the document and what does not (schemathesis)."""

import re
import shutil
from dataclasses import replace
from datetime import date
from itertools import product

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from lakes import CHEAP, NOW, Plant
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from expectations import settings as settings_module
from serving.app import WORKBOOK, create_app
from serving.identity.passwords import Passwords
from serving.identity.roles import EVERY, Caller

schemathesis.serializer.alias([WORKBOOK], "application/octet-stream")  # bytes as they are
PASSWORD = "korrekt pferd batterie"
BOUNDED = settings(
    max_examples=12,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def app(migrated, tmp_path_factory):
    """The API over a lake with two nights of a tenant, and a user who may do everything."""
    many = {"rate_user": 1_000_000, "rate_address": 1_000_000, "rate_sign_in": 1_000_000}
    plant = Plant(replace(settings_module.load({}), home=tmp_path_factory.mktemp("home"), hosts="testserver", **many))
    for night in (date(2026, 2, 28), date(2026, 3, 1)):
        plant.sums(plant.night(night=night), night=night)
        plant.explain(night=night)
    plant.series()
    plant.scores()
    plant.promotion("acme", "7")
    shutil.copytree(migrated, plant.settings.home / "state")
    app = create_app(plant.settings, lambda: NOW, passwords=Passwords(CHEAP))
    app.state.expected = plant.expected["acme", date(2026, 3, 1)][0]
    app.state.identity.users.add(Caller("test"), "root", PASSWORD, {EVERY: "admin"})
    return app


# What fits the document one by one may still not fit together (a cursor and a query), or not what there is.
REFUSED = {"positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", "4xx"]}}


@pytest.fixture(scope="module")
def document(app):
    config = SchemathesisConfig.from_dict({"checks": REFUSED})
    return schemathesis.openapi.from_asgi("/openapi.json", app, config=config)


@pytest.fixture(scope="module")
def signed_in(app):
    identity = app.state.identity
    opened = identity.sign_in.by_password(Caller("test"), "root", PASSWORD, "")
    return {"Authorization": f"Bearer {identity.tokens.issue(opened.user_id, opened.session_id)}"}


def ask_all(document, headers, known):
    """Ask each address, of the things in `known` where it names one; by address the statuses that what fits was answered.

    Fails with what each address did otherwise than the document says.
    """
    told, statuses = {}, {}
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) > 15
    for operation, mode in product(operations, GenerationMode):
        named = {p.name: known[p.name] for p in operation.path_parameters if p.name in known}
        cases = operation.as_strategy(generation_mode=mode, path_parameters=named or None)
        try:
            seen = ask_one(cases, headers)
        except Unsatisfiable:  # a request without parameters and body cannot be wrong
            continue
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - the other addresses are asked too
            told[f"{operation.method} {operation.path} {mode.value}"] = error
            continue
        if mode is GenerationMode.POSITIVE:
            statuses[operation.method.upper(), operation.path] = seen
    assert told == {}, "\n\n".join(f"{name}: {error}" for name, error in told.items())
    return statuses


def ask_one(cases, headers):
    """The statuses that the cases were answered with."""
    seen = set()

    @BOUNDED
    @given(case=cases)
    def ask(case):
        seen.add(case.call_and_validate(headers=headers).status_code)

    ask()
    return seen


def test_each_address_answers_one_who_may_do_everything_as_declared(app, document, signed_in):
    forecast = app.state.expected["forecast_id"]
    known = {"tenant": "acme", "site": "ankara", "product": "P-1", "forecast_id": forecast}

    statuses = ask_all(document, signed_in, known)

    unanswered = {
        path
        for (method, path), seen in statuses.items()
        if method == "GET" and set(re.findall(r"{(\w+)}", path)) <= set(known) and not seen & {200, 302, 303}
    }
    assert unanswered == {"/v1/auth/oidc/start", "/v1/auth/oidc/callback"}  # there is no company's login


def test_each_address_answers_somebody_unknown_as_declared(document):
    ask_all(document, {}, {})
