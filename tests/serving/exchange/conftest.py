"""The API with a key that may do everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from serving.identity.roles import EVERY, SCOPES, Caller


@pytest.fixture
def api(plant: Any, make_api: Callable[..., Any]) -> Any:
    made = make_api(plant.settings)
    key = made.identity.keys.add(Caller("test"), EVERY, "does all", SCOPES).key
    made.headers["Authorization"] = f"Bearer {key}"
    return made
