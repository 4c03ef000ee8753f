"""A company's own login: OpenID Connect with authorization code and PKCE; its claims say which role at which tenant.

`oidc.yaml` in the home:

    issuer: https://login.example.com/realms/plant
    client_id: uretimiq
    redirect: https://uretimiq.example.com/v1/auth/oidc/callback
    name: preferred_username
    scopes: openid profile groups
    grants:
      - {claim: groups, value: planners, tenant: acme, role: operator}

The client's secret, if it has one, is the setting `oidc_client_secret`.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt
from sqlalchemy import delete, insert

from serving.identity.oidc_config import Config
from serving.identity.secret import fingerprint
from serving.state.database import State
from serving.state.tables import OIDC_LOGINS

PATIENCE = timedelta(minutes=10)  # from the start of a sign-in to its end
KNOWN = timedelta(hours=1)  # so long discovery and keys are taken as they were
SKEW_SECONDS = 60
ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_SECONDS = 10.0
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class CompanyRefusedError(Exception):
    """The company's login did not vouch for the caller; the message is one line, without what it sent."""


class CompanyUnavailableError(Exception):
    """The company's login does not answer as it should; the cause is chained."""


@dataclass(frozen=True)
class Vouched:
    """Whom the company's login vouches for, and his roles by tenant."""

    subject: str
    name: str
    grants: dict[str, str]


class Company:
    """Its client. `http` is a client of httpx; no redirect is followed."""

    def __init__(self, config: Config, secret: str, state: State, now: Callable[[], datetime]) -> None:
        self.config = config
        self._secret = secret
        self._state = state
        self._now = now
        self._http = httpx.Client(timeout=_SECONDS, follow_redirects=False)
        self._known: dict[str, tuple[datetime, dict[str, Any]]] = {}

    def start(self) -> tuple[str, str]:
        """Where to send the browser, and the state that it must bring back. Raises CompanyUnavailableError."""
        address = self._discovered()["authorization_endpoint"]
        state, nonce, verifier = (secrets.token_urlsafe(n) for n in (32, 32, 64))
        now = self._now()
        row = {"state_hash": fingerprint(state), "nonce": nonce, "verifier": verifier, "created_at": now}
        with self._state.write() as connection:
            connection.execute(delete(OIDC_LOGINS).where(OIDC_LOGINS.c.created_at < now - PATIENCE))
            connection.execute(insert(OIDC_LOGINS).values(row))
        query = {
            "response_type": "code",
            "client_id": self.config.client_id,
            "redirect_uri": self.config.redirect,
            "scope": self.config.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}", state

    def finish(self, code: str, state: str) -> Vouched:
        """Whom the code stands for. Raises CompanyRefusedError, CompanyUnavailableError."""
        query = delete(OIDC_LOGINS).where(OIDC_LOGINS.c.state_hash == fingerprint(state)).returning(OIDC_LOGINS)
        with self._state.write() as connection:  # taken out at once: a state counts once
            begun = connection.execute(query).first()
        if begun is None or self._now() - begun.created_at > PATIENCE:
            raise CompanyRefusedError("the sign-in was not begun here, or too long ago: begin again")
        claims = self._verified(self._exchange(code, begun.verifier), begun.nonce)
        grants = self.config.grants_of(claims)
        if not grants:
            raise CompanyRefusedError("the company's login gives you no role here: ask who looks after it")
        return Vouched(str(claims["sub"]), str(claims.get(self.config.name) or ""), grants)

    def _exchange(self, code: str, verifier: str) -> str:
        """The ID token for the code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.config.redirect,
            "client_id": self.config.client_id,
            "code_verifier": verifier,
        }
        known = httpx.BasicAuth(self.config.client_id, self._secret) if self._secret else httpx.Auth()
        try:
            answer = self._http.post(self._discovered()["token_endpoint"], data=form, auth=known)
            content = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise CompanyUnavailableError from error
        if answer.status_code != httpx.codes.OK or not isinstance(content, dict) or "id_token" not in content:
            raise CompanyRefusedError("the company's login did not take the code: begin again")
        return str(content["id_token"])

    def _verified(self, token: str, nonce: str) -> dict[str, Any]:
        """The claims of the ID token (OpenID Connect Core 3.1.3.7), by our clock."""
        options: Any = {"require": ["iss", "aud", "sub", "exp", "iat", "nonce"]}
        options |= dict.fromkeys(("verify_exp", "verify_iat", "verify_nbf"), False)
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key(jwt.get_unverified_header(token).get("kid")),
                algorithms=ASYMMETRIC,  # a token signed by a shared secret or not at all is not looked at
                audience=self.config.client_id,
                issuer=self.config.issuer,
                options=options,
            )
            now, expires, issued = self._now().timestamp(), int(claims["exp"]), int(claims["iat"])
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise CompanyRefusedError("the company's login sent a token that does not hold: begin again") from error
        is_ours = claims.get("azp", self.config.client_id) == self.config.client_id
        is_asked = secrets.compare_digest(str(claims["nonce"]).encode(), nonce.encode())
        if not (is_ours and is_asked and issued - SKEW_SECONDS <= now < expires + SKEW_SECONDS):
            raise CompanyRefusedError("the company's login sent a token that does not hold: begin again")
        return claims

    def _key(self, kid: str | None) -> jwt.PyJWK:
        """The key of that id; keys are asked for anew once where it is unknown, since they are changed at times."""
        address = self._discovered()["jwks_uri"]
        for is_fresh in (False, True):
            found = [
                key for key in jwt.PyJWKSet.from_dict(self._get(address, is_fresh)).keys if kid in (None, key.key_id)
            ]
            if found:
                return found[0]
        raise CompanyRefusedError("the company's login signed by a key that it does not show: begin again")

    def _discovered(self) -> dict[str, Any]:
        found = self._get(f"{self.config.issuer.rstrip('/')}/.well-known/openid-configuration", is_fresh=False)
        if found.get("issuer") != self.config.issuer or not all(isinstance(found.get(n), str) for n in _ENDPOINTS):
            raise CompanyUnavailableError
        return found

    def _get(self, address: str, is_fresh: bool) -> dict[str, Any]:
        at, content = self._known.get(address, (None, {}))
        if at and not is_fresh and self._now() - at < KNOWN:
            return content
        try:
            answer = self._http.get(address)
            content = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise CompanyUnavailableError from error
        if not isinstance(content, dict):
            raise CompanyUnavailableError
        self._known[address] = (self._now(), content)
        return content


def challenge(verifier: str) -> str:
    """Of PKCE (RFC 7636), method S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
