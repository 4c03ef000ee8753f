"""What is sent to and answered by /users, and an example of each."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from serving.identity.schemas import AT, Asked
from serving.schemas import Answer

Role = Literal["viewer", "operator", "auditor", "admin"]


class RoleAsked(Asked):
    """The role from now on."""

    role: Role


class NewUser(RoleAsked):
    """A user to be added."""

    name: str = Field(min_length=1, max_length=100, description="Letters a-z, digits and . _ @ + -")


class TenantUser(Answer):
    """Who has a role at the tenant."""

    name: str
    role: str
    created_at: datetime
    disabled_at: datetime | None = Field(description="Since when he cannot sign in; by who runs the server")
    second_factor: bool
    own_login: bool = Field(description="Comes by the company's own login, which says what his roles are")
    password_ends_at: datetime | None = Field(
        description="He has not chosen a password yet: until when his one-time password lets him"
    )
    is_only_here: bool = Field(description="No role at another tenant: only then can he be reset here")


class UserList(Answer):
    """All of them, by name."""

    users: list[TenantUser]


class OneTime(TenantUser):
    """A user with his new one-time password."""

    password: str = Field(description="Opens nothing but the choice of his own password; shown this once")


USER = {
    "name": "mehmet",
    "role": "operator",
    "created_at": AT,
    "disabled_at": None,
    "second_factor": False,
    "own_login": False,
    "password_ends_at": "2026-03-09T08:10:00Z",
    "is_only_here": True,
}
USERS = {"users": [USER]}
ONE_TIME = USER | {"password": "q7ab-k2md-xw4c-r6ty"}
