"""The OpenAPI document: what FastAPI makes of the routes, and what it does not know."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from serving import schemas
from serving.identity.documents import add_security


def document(app: FastAPI) -> dict[str, Any]:
    """The document, made once: with the scope of each address, the schema that all errors share, and conditional requests."""
    if not app.openapi_schema:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        add_security(made, app)
        made["components"]["schemas"]["Problem"] = schemas.Problem.model_json_schema()
        for operations in made["paths"].values():
            for operation in operations.values():
                for parameter in operation.get("parameters", ()):
                    parameter["schema"] = _without_null(parameter["schema"])
                if "304" in operation["responses"]:
                    _add_condition(operation)
        app.openapi_schema = made
    return app.openapi_schema


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter can be left out, and never be null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if not kinds:
        return schema
    rest = {name: value for name, value in schema.items() if name != "anyOf" and (name, value) != ("default", None)}
    return rest | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds})


def _add_condition(operation: dict[str, Any]) -> None:
    """The header by which an answer is asked for only if it has changed."""
    header = {"name": "If-None-Match", "in": "header", "required": False, "schema": {"type": "string"}}
    header["description"] = "The ETag of an answer that the caller has: if nothing has changed since, 304 says so"
    operation.setdefault("parameters", []).append(header)
    tag = {"description": "Of this answer, for If-None-Match", "schema": {"type": "string"}}
    operation["responses"]["200"].setdefault("headers", {})["ETag"] = tag
