"""What OpenAPI tells of an address: its example, its errors, and the scope that it asks for."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from serving.identity.access import Access
from serving.identity.roles import SCOPES
from serving.problems import OF_GUARDED, merge, responses

_SCHEMES = {
    "user": {
        "type": "oauth2",
        "description": "A user's access token: 15 minutes, renewed by a refresh token",
        "flows": {"password": {"tokenUrl": "/v1/auth/token", "refreshUrl": "/v1/auth/token", "scopes": SCOPES}},
    },
    "key": {"type": "http", "scheme": "bearer", "description": "An API key: urt_key_..."},
}


def told(example: object, *kinds: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an address that answers like `example`, and with problems of these kinds."""
    return {200: {"content": {"application/json": {"example": example}}}, **responses(*kinds)}


def access_of(route: object) -> list[Access]:
    """What a route asks of its caller: one entry, or none where it is open to all."""
    if not isinstance(route, APIRoute):
        return []
    return [need.call for need in route.dependant.dependencies if isinstance(need.call, Access)]


def add_security(document: dict[str, Any], app: FastAPI) -> None:
    """Tell in `document` the scope of each address, as its route declares it, and the errors that follow."""
    document["components"]["securitySchemes"] = _SCHEMES
    for route in app.routes:
        for access in access_of(route):
            assert isinstance(route, APIRoute)  # noqa: S101 - as access_of has seen
            for method in route.methods:
                operation = document["paths"][route.path_format][method.lower()]
                scopes = [access.scope] if access.scope else []
                operation["security"] = [{"user": scopes}] + ([{"key": []}] if scopes else [])
                operation["description"] += f" Scope: {access.scope}." if access.scope else " For users alone."
                merge(operation["responses"], *OF_GUARDED)
