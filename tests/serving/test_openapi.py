"""The OpenAPI document tells what is really answered."""

from datetime import date

import pytest
from pydantic import TypeAdapter

from serving import examples, schemas
from serving.problems import KINDS
from serving.rows import ROW_COLUMNS
from serving.series import schemas as series
from serving.sums import SUM_COLUMNS

ANSWERS = {
    "/v1/tenants/acme/forecasts": (schemas.ForecastPage, examples.PAGE),
    "/v1/tenants/acme/series": (series.SeriesPage, series.SERIES),
    "/v1/status": (schemas.Status, examples.STATUS),
    "/healthz": (schemas.Health, examples.HEALTH),
    "/readyz": (schemas.Health, examples.HEALTH),
}


def operations(api):
    paths = api.get("/openapi.json").json()["paths"]
    assert len(paths) > 15
    return {f"{method} {path}": operation for path, spec in paths.items() for method, operation in spec.items()}


@pytest.mark.parametrize(
    ("model", "example"),
    [
        *ANSWERS.values(),
        (schemas.OneForecast, examples.ONE),
        (schemas.OneExplanation, examples.EXPLANATION),
        (schemas.SumsPage, examples.SUMS),
        (series.OneSeries, series.ONE),
        (series.HierarchyPage, series.HIERARCHY),
        (series.SumOfPast, series.HISTORY),
    ],
)
def test_each_example_is_an_answer_as_declared(model, example):
    TypeAdapter(model).validate_python(example)


@pytest.mark.parametrize(("address", "model"), [(address, model) for address, (model, _) in ANSWERS.items()])
@pytest.mark.parametrize("state", ["good", "failed since"])
def test_each_real_answer_is_as_declared(plant, api, address, model, state):
    plant.night()
    plant.promotion("acme", "7")
    if state == "failed since":
        plant.run(night=date(2026, 3, 2), job="silver", status="failed", reason="x")

    TypeAdapter(model).validate_json(api.get(address).text)


def test_a_real_forecast_is_as_declared(plant, api):
    plant.night()
    handle = plant.expected["acme", date(2026, 3, 1)][0]["forecast_id"]

    TypeAdapter(schemas.OneForecast).validate_json(api.get(f"/v1/tenants/acme/forecasts/{handle}").text)


def test_a_real_explanation_is_as_declared(plant, api):
    plant.night()
    plant.explain()

    answer = api.get("/v1/tenants/acme/forecasts/ankara/P-1/explanation").text
    TypeAdapter(schemas.OneExplanation).validate_json(answer)


def test_real_sums_are_as_declared(plant, api):
    plant.sums(plant.night())

    TypeAdapter(schemas.SumsPage).validate_json(api.get("/v1/tenants/acme/forecasts/sums").text)


def test_the_example_row_has_the_columns_of_a_row():
    assert tuple(examples.ROW) == ROW_COLUMNS
    assert tuple(examples.SUM) == SUM_COLUMNS


def test_each_response_has_a_description_and_an_example(api):
    for path, operation in operations(api).items():
        assert operation["description"], path
        for code, response in operation["responses"].items():
            assert response["description"], (path, code)
            for kind, content in response.get("content", {}).items():
                assert content.get("example") or content.get("examples"), (path, code, kind)
                assert content["schema"], (path, code, kind)


def test_each_parameter_is_described(api):
    described = [p for operation in operations(api).values() for p in operation.get("parameters", ())]

    assert len(described) > 10
    assert [p["name"] for p in described if not p.get("description")] == []


def test_errors_are_declared_as_problems(api):
    for path, operation in operations(api).items():
        errors = {code: r for code, r in operation["responses"].items() if code >= "400"}
        assert all(set(r["content"]) == {"application/problem+json"} for r in errors.values()), path
    declared = {
        name
        for operation in operations(api).values()
        for code, r in operation["responses"].items()
        if code >= "400"
        for name in r["content"]["application/problem+json"]["examples"]
    }
    assert declared == set(KINDS) - {"not-found", "not-allowed"}
