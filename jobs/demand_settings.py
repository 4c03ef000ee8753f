"""The parameters of the demand models of a home: the defaults, and what `demand.yaml` in it says otherwise.

members: [seasonal_naive, lightgbm]      # for all tenants
tenants:
  acme: {max_rows: 100000}               # for one
  mill: {period: week, horizon: 26}      # one that counts in weeks, 13 ahead where nothing is said
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from expectations.settings import Settings
from jobs.context import Context
from jobs.errors import JobError
from models.demand.parameters import ParameterError, Parameters, parameters

FILE = "demand.yaml"


def demand_parameters(settings: Settings, tenant: str) -> Parameters:
    """Raises JobError that names the file and the parameter."""
    path = settings.home / FILE
    if not path.exists():
        return Parameters()
    given = _read(path, path.read_text())
    of_tenants = given.get("tenants") or {}
    try:
        of_all = {name: value for name, value in given.items() if name != "tenants"}
        return parameters(of_all | dict(of_tenants.get(tenant) or {}))
    except (ParameterError, TypeError, AttributeError) as error:
        raise JobError(f"{path}: {error}") from error


def settled(ctx: Context, tenants: Iterable[str]) -> dict[str, Parameters]:
    """The parameters of each tenant; one whose parameters cannot be has failed, and is left out."""
    found = {}
    for tenant in tenants:
        try:
            found[tenant] = demand_parameters(ctx.settings, tenant)
        except JobError as error:
            ctx.fail(tenant, str(error))
    return found


@lru_cache(maxsize=4)  # asked for every tenant of a night, and YAML is slow to read
def _read(path: Path, text: str) -> dict[str, Any]:
    import yaml

    try:
        given = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise JobError(f"{path}: it is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(given, dict):
        raise JobError(f"{path}: write `name: value` lines, as `members: [seasonal_naive, lightgbm]`")
    return given
