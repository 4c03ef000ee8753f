"""The page at /docs: the addresses with their parameters, made from the OpenAPI document; no script, nothing from outside."""

from __future__ import annotations

from html import escape
from typing import Any

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{background:#f2f2f2;padding:.1rem .3rem}td{padding:.1rem 1rem .1rem 0;vertical-align:top}"
)


def index(document: dict[str, Any]) -> str:
    """`document`: the OpenAPI document of the app. Returns a whole HTML page."""
    told = "".join(
        _address(path, method, spec) for path, specs in document["paths"].items() for method, spec in specs.items()
    )
    title = escape(document["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{escape(document['info']['description'])}</p>"
        "<p>Sign in at /v1/auth/token; /v1/me then names your tenants and roles; "
        f'for programs there is <a href="/openapi.json">/openapi.json</a>.</p>{told}</html>'
    )


def _address(path: str, method: str, spec: dict[str, Any]) -> str:
    shown = escape(path)
    linked = shown if "{" in path or method != "get" else f'<a href="{shown}">{shown}</a>'
    rows = "".join(_parameter(p) for p in spec.get("parameters", ()) if p["in"] != "header")
    return f"<h2><code>{method.upper()} {linked}</code></h2><p>{escape(spec.get('description', ''))}</p><table>{rows}</table>"


def _parameter(spec: dict[str, Any]) -> str:
    return f"<tr><td><code>{escape(spec['name'])}</code></td><td>{escape(spec.get('description', ''))}</td></tr>"
