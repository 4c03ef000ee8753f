"""Access tokens: JWT (RFC 7519) signed by HS256, good for 15 minutes. They say who, not what he may: that is looked up."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt

from serving.identity.secret import Secret

GOOD_FOR = timedelta(minutes=15)
ISSUER, AUDIENCE, ALGORITHM = "uretimiq", "uretimiq-api", "HS256"
_CLAIMS = ["iss", "aud", "sub", "sid", "iat", "exp", "jti"]


class TokenError(Exception):
    """The token is not one of ours, or not any more; the message is one line for the caller."""


@dataclass(frozen=True)
class Access:
    """What a good token says: whose it is, and of which session."""

    user_id: str
    session_id: str


class AccessTokens:
    """Issues and reads them."""

    def __init__(self, secret: Secret, now: Callable[[], datetime]) -> None:
        self._keys = secret.signing
        self._newest = next(iter(self._keys))
        self._now = now

    def issue(self, user_id: str, session_id: str) -> str:
        now = int(self._now().timestamp())
        claims: dict[str, str | int] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user_id,
            "sid": session_id,
            "jti": secrets.token_hex(8),
        }
        claims |= {"iat": now, "exp": now + int(GOOD_FOR.total_seconds())}
        return jwt.encode(claims, self._keys[self._newest], ALGORITHM, {"kid": self._newest})

    def read(self, token: str) -> Access:
        """Raises TokenError."""
        try:
            key = self._keys[jwt.get_unverified_header(token)["kid"]]
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],  # never what the token itself names
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": _CLAIMS, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
            issued, expires = int(claims["iat"]), int(claims["exp"])  # by our clock, not by the library's
        except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
            raise TokenError("the access token is not one of this server's: sign in again") from error
        if not issued - 60 <= self._now().timestamp() < expires:
            raise TokenError("the access token has expired: refresh it, or sign in again")
        return Access(str(claims["sub"]), str(claims["sid"]))
