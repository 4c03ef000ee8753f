"""What is sent to and answered by the addresses of identity, and an example of each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from serving.identity import keys
from serving.schemas import Answer

Word = Annotated[str, Field(max_length=256)]
AT = "2026-03-02T08:10:00Z"


class Asked(BaseModel):
    """What bodies have in common: no member that is not declared."""

    model_config = ConfigDict(extra="forbid")


class Credentials(Asked):
    """Who signs in."""

    username: Word
    password: Word = Field(json_schema_extra={"format": "password"})
    code: str = Field("", max_length=40, description="Of the second factor, or a recovery code")
    new_password: str = Field("", max_length=256, description="In place of a password for one time")


class PasswordChange(Asked):
    """The password now and the one from now on."""

    old: Word
    new: Word


class Password(Asked):
    """The password again, since a token may be in other hands."""

    password: Word


class PasswordAndCode(Password):
    """The password again, and a code."""

    code: str = Field(max_length=40)


class Code(Asked):
    """A code from the app."""

    code: str = Field(max_length=40)


class NewKey(Asked):
    """A key to be made."""

    name: str = Field(min_length=1, max_length=100, description="What it is for")
    scopes: list[str] = Field(min_length=1, max_length=20, description="Of those that the caller has himself")
    days: int = Field(keys.DAYS, ge=1, le=keys.MOST_DAYS, description="Until it ends [d]")


class Token(Answer):
    """What opens the API (RFC 6749)."""

    access_token: str = Field(description="For the header Authorization: Bearer")
    token_type: Literal["Bearer"]
    expires_in: int = Field(description="Until the access token ends [s]")
    refresh_token: str | None = Field(None, description="Good once; null where it is in a cookie")


class Me(Answer):
    """The user who asks."""

    name: str
    roles: dict[str, str] = Field(description="By tenant; * is every tenant")
    created_at: datetime
    disabled_at: datetime | None
    second_factor: bool
    own_login: str | None = Field(description="Issuer of the company's own login, for those who come by it")


class OwnTenant(Answer):
    """A tenant that the user may see."""

    tenant: str
    role: str | None
    scopes: list[str] = Field(description="What he may do there")
    currency: str | None = Field(description="Of its prices (ISO 4217); null where it was not said")


class OwnTenants(Answer):
    """All of them, by name."""

    tenants: list[OwnTenant]


class Enrolment(Answer):
    """For the app that makes the codes."""

    secret: str
    address: str = Field(description="The same as an otpauth:// address")
    qr: str = Field(description="That as a QR code: an SVG in a data: address")


class RecoveryCodes(Answer):
    """Each signs in once in place of a code; shown this once."""

    recovery_codes: list[str]


class Key(Answer):
    """An API key, without what is secret of it."""

    prefix: str
    tenant: str
    name: str
    scopes: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class KeyMade(Key):
    """A new API key."""

    key: str = Field(description="In full, shown this once")


class KeyList(Answer):
    """The keys of a tenant, the newest first."""

    keys: list[Key]


class AuditRow(Answer):
    """One change, or one denied access."""

    audit_id: int
    at: datetime
    actor: str = Field(description="user:NAME, key:PREFIX, anonymous or command-line")
    tenant: str | None
    action: str
    target: str
    address: str
    request_id: str
    detail: dict[str, Any]


class AuditPage(Answer):
    """The audit log, newest first."""

    next: str | None = Field(description="Address of the next page; null on the last")
    rows: list[AuditRow]


OK = {"status": "ok"}
TOKEN = {"access_token": "eyJhbGciOi...", "token_type": "Bearer", "expires_in": 900, "refresh_token": "urt_refresh_..."}
BROWSER_TOKEN = TOKEN | {"refresh_token": None}
ME = {
    "name": "ayse",
    "roles": {"acme": "admin"},
    "created_at": AT,
    "disabled_at": None,
    "second_factor": True,
    "own_login": None,
}
TENANTS = {"tenants": [{"tenant": "acme", "role": "viewer", "scopes": ["forecasts:read"], "currency": "TRY"}]}
ENROLMENT = {
    "secret": "JBSWY3DPEHPK3PXP",
    "address": "otpauth://totp/%C3%9CretimIQ:ayse?secret=JBSWY3DPEHPK3PXP",
    "qr": "data:image/svg+xml;charset=utf-8,%3Csvg...",
}
RECOVERY = {"recovery_codes": ["q7ab-k2md-xw4c-r6ty"]}
KEY = {
    "prefix": "urt_key_4be1c07a",
    "tenant": "acme",
    "name": "Excel of the planners",
    "scopes": ["forecasts:read"],
    "created_by": "user:ayse",
    "created_at": AT,
    "expires_at": "2027-03-02T08:10:00Z",
    "revoked_at": None,
}
KEY_MADE = KEY | {"key": "urt_key_4be1c07a_..."}
KEYS = {"keys": [KEY]}
AUDIT = {
    "next": None,
    "rows": [
        {
            "audit_id": 812,
            "at": AT,
            "actor": "user:ayse",
            "tenant": "acme",
            "action": "key.added",
            "target": "urt_key_4be1c07a",
            "address": "127.0.0.1",
            "request_id": "5d1f0c7a",
            "detail": {"name": "Excel of the planners", "scopes": ["forecasts:read"]},
        }
    ],
}
