"""The second factor: TOTP (RFC 6238), of which each code counts once, and ten recovery codes, each good once."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pyotp
import segno
from sqlalchemy import Connection, delete, insert, or_, select, update

from serving.identity.secret import Secret, fingerprint, readable_code
from serving.state.tables import RECOVERY_CODES, USERS

STEP_SECONDS, WINDOW = 30, 1  # a clock may be 30 s off
CODES = 10
_ISSUER = "ÜretimIQ"


@dataclass(frozen=True)
class Enrolment:
    """What the user's app needs: the secret, the same as an address, and that as a QR code."""

    secret: str
    address: str

    @property
    def qr(self) -> str:
        """The address as a QR code: an SVG in a data: address, black on white with the white margin that readers need."""
        return segno.make_qr(self.address).svg_data_uri(scale=4, light="#fff")


class SecondFactor:
    """Enrols and checks, in the transaction that it is given."""

    def __init__(self, secret: Secret, now: Callable[[], datetime]) -> None:
        self._secret = secret
        self._now = now

    def enrol(self, connection: Connection, user_id: str, name: str) -> Enrolment:
        """Begin: the factor is asked for only once a code has confirmed it."""
        made = pyotp.random_base32()
        values = {"totp_secret": self._secret.seal(made), "totp_confirmed_at": None, "totp_last_step": None}
        connection.execute(update(USERS).where(USERS.c.user_id == user_id).values(values))
        return Enrolment(made, pyotp.TOTP(made).provisioning_uri(name=name, issuer_name=_ISSUER))

    def confirm(self, connection: Connection, user_id: str, code: str) -> list[str] | None:
        """Take the factor into use; gives the recovery codes, which are shown this once. None: the code is wrong."""
        if not self._is_code(connection, user_id, code):
            return None
        connection.execute(update(USERS).where(USERS.c.user_id == user_id).values(totp_confirmed_at=self._now()))
        connection.execute(delete(RECOVERY_CODES).where(RECOVERY_CODES.c.user_id == user_id))
        codes = [readable_code() for _ in range(CODES)]
        rows = [{"user_id": user_id, "code_hash": fingerprint(_bare(code))} for code in codes]
        connection.execute(insert(RECOVERY_CODES), rows)
        return codes

    def remove(self, connection: Connection, user_id: str) -> None:
        values = dict.fromkeys(("totp_secret", "totp_confirmed_at", "totp_last_step"))
        connection.execute(update(USERS).where(USERS.c.user_id == user_id).values(values))
        connection.execute(delete(RECOVERY_CODES).where(RECOVERY_CODES.c.user_id == user_id))

    def check(self, connection: Connection, user_id: str, code: str) -> str | None:
        """What the code is, "totp" or "recovery_code"; None if neither, or used before."""
        if self._is_code(connection, user_id, code):
            return "totp"
        query = update(RECOVERY_CODES).where(
            RECOVERY_CODES.c.user_id == user_id,
            RECOVERY_CODES.c.code_hash == fingerprint(_bare(code)),
            RECOVERY_CODES.c.used_at.is_(None),
        )
        return "recovery_code" if connection.execute(query.values(used_at=self._now())).rowcount else None

    def _is_code(self, connection: Connection, user_id: str, code: str) -> bool:
        sealed = connection.execute(select(USERS.c.totp_secret).where(USERS.c.user_id == user_id)).scalar()
        secret = self._secret.open(sealed) if sealed else None
        bare = code.replace(" ", "")
        if secret is None or not (bare.isascii() and bare.isdigit()):
            return False
        totp, today = pyotp.TOTP(secret), int(self._now().timestamp()) // STEP_SECONDS
        steps = range(today - WINDOW, today + WINDOW + 1)
        found = [step for step in steps if secrets.compare_digest(totp.generate_otp(step), bare)]
        return bool(found) and self._use(connection, user_id, found[0])

    def _use(self, connection: Connection, user_id: str, step: int) -> bool:
        """Of two who bring the same code at once, one alone gets True."""
        is_newer = or_(USERS.c.totp_last_step.is_(None), USERS.c.totp_last_step < step)
        query = update(USERS).where(USERS.c.user_id == user_id, is_newer)
        return connection.execute(query.values(totp_last_step=step)).rowcount == 1


def _bare(code: str) -> str:
    return "".join(c for c in code.lower() if c.isalnum())
