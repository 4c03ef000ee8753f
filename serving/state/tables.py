"""The tables of the state database. A change here needs a migration beside it: a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

METADATA = MetaData(
    naming_convention={  # by which a migration finds a constraint again
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
NAME, HASH = 100, 64  # characters of a name or code, and of a SHA-256 in hexadecimal


class Moment(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no time zone: it is taken off on the way in and put on again on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses a moment without time zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC).replace(tzinfo=None if dialect.name == "sqlite" else UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """In UTC, whatever zone the connection speaks."""
        return value and (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


USERS = Table(
    "users",
    METADATA,
    Column("user_id", String(32), primary_key=True),
    Column("name", String(NAME), nullable=False, unique=True),
    Column("password_hash", String(200)),  # none: signs in by the company's own login alone
    Column("created_at", Moment, nullable=False),
    Column("disabled_at", Moment),
    Column(
        "password_ends_at", Moment
    ),  # of a one-time password: it opens no session, but lets its owner choose his own
    Column("totp_secret", String(200)),  # sealed by the server's key
    Column("totp_confirmed_at", Moment),  # none: enrolment begun, the second factor is not asked yet
    Column("totp_last_step", BigInteger),  # the newest time step of which a code was used: none counts twice
    Column("oidc_issuer", String(300)),
    Column("oidc_subject", String(255)),
    UniqueConstraint("oidc_issuer", "oidc_subject"),
)
GRANTS = Table(
    "grants",
    METADATA,
    Column("user_id", ForeignKey(USERS.c.user_id, ondelete="CASCADE"), primary_key=True),
    Column("tenant", String(NAME), primary_key=True),  # `*`: every tenant, and what belongs to none
    Column("role", String(NAME), nullable=False),
)
RECOVERY_CODES = Table(
    "recovery_codes",
    METADATA,
    Column("user_id", ForeignKey(USERS.c.user_id, ondelete="CASCADE"), primary_key=True),
    Column("code_hash", String(HASH), primary_key=True),
    Column("used_at", Moment),
)
SESSIONS = Table(
    "sessions",
    METADATA,
    Column("session_id", String(32), primary_key=True),
    Column("user_id", ForeignKey(USERS.c.user_id, ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("revoked_at", Moment),
)
REFRESH_TOKENS = Table(
    "refresh_tokens",
    METADATA,
    Column("token_hash", String(HASH), primary_key=True),
    Column("session_id", ForeignKey(SESSIONS.c.session_id, ondelete="CASCADE"), nullable=False, index=True),
    Column("issued_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("used_at", Moment),
)
API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("prefix", String(16), primary_key=True),  # shown; the key itself is not kept
    Column("key_hash", String(HASH), nullable=False, unique=True),
    Column("tenant", String(NAME), nullable=False, index=True),
    Column("name", String(NAME), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created_by", String(NAME + 10), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("revoked_at", Moment),
)
FAILURES = Table(
    "sign_in_failures",
    METADATA,
    Column("subject", String(NAME + 10), primary_key=True),  # user:NAME, known or not, or address:ADDRESS
    Column("failures", Integer, nullable=False),
    Column("last_at", Moment, nullable=False),
    Column("locked_until", Moment),
)
OIDC_LOGINS = Table(
    "oidc_logins",
    METADATA,
    Column("state_hash", String(HASH), primary_key=True),
    Column("nonce", String(HASH), nullable=False),
    Column("verifier", String(128), nullable=False),
    Column("created_at", Moment, nullable=False),
)
ANSWERS = Table(  # to requests with an Idempotency-Key, for a day
    "idempotent_answers",
    METADATA,
    Column("tenant", String(NAME), primary_key=True),
    Column("actor", String(NAME + 10), primary_key=True),
    Column("key", String(NAME), primary_key=True),
    Column("request_hash", String(HASH), nullable=False),  # of method, address and body
    Column("begun_at", Moment, nullable=False, index=True),
    Column("answer", Text),  # sealed by the server's key: it may show a secret; none: not answered yet
)
AUDIT_LOG = Table(  # a trigger refuses UPDATE and DELETE
    "audit_log",
    METADATA,
    Column("audit_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("actor", String(NAME + 10), nullable=False),
    Column("tenant", String(NAME)),
    Column("action", String(NAME), nullable=False),
    Column("target", String(300), nullable=False),
    Column("address", String(NAME), nullable=False),
    Column("request_id", String(NAME), nullable=False),
    Column("detail", JSON, nullable=False),
    Index("ix_audit_log_tenant", "tenant", "audit_id"),
    sqlite_autoincrement=True,  # a number once given is not given again
)
PLANS = (
    Table(  # the row that a change of a tenant's plan holds while it is made, so that changes come one after the other
        "plans",
        METADATA,
        Column("tenant", String(NAME), primary_key=True),
        Column("plan_version", Integer, nullable=False),  # of the last change
    )
)
OVERRIDES = Table(  # each version of each override; a trigger refuses UPDATE and DELETE
    "overrides",
    METADATA,
    Column("tenant", String(NAME), primary_key=True),
    Column("override_id", String(32), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("plan_version", Integer, nullable=False),  # the change of the plan by which it came; later ones win
    Column("position", Integer, nullable=False),  # among those that came by the same change
    Column("site", String(NAME)),
    Column("product", String(NAME)),
    Column("product_group", String(NAME)),
    Column("product_sub_group", String(NAME)),
    Column("first", Date, nullable=False),
    Column("last", Date, nullable=False),
    Column("how", String(10), nullable=False),
    Column("value", Float, nullable=False),
    Column("reason", String(500), nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("is_withdrawn", Boolean, nullable=False),
    Column("made_by", String(NAME + 10), nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("made_on_night", Date, nullable=False),
    Column("period", String(10), nullable=False),
    Column("baseline", JSON, nullable=False),  # [date, units] of the node's periods, as forecast when it was said
    Index("ix_overrides_plan_version", "tenant", "plan_version"),
)
SCENARIOS = Table(
    "scenarios",
    METADATA,
    Column("tenant", String(NAME), primary_key=True),
    Column("scenario_id", String(32), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("name", String(NAME), nullable=False),
    Column("night", Date, nullable=False),
    Column("changes", JSON, nullable=False),  # the later ones win
    Column("made_by", String(NAME + 10), nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("changed_by", String(NAME + 10), nullable=False),
    Column("changed_at", Moment, nullable=False),
)
LINKS = Table(  # live data for a spreadsheet that can send no headers
    "links",
    METADATA,
    Column("link_id", String(32), primary_key=True),
    Column("secret_hash", String(HASH), nullable=False, unique=True),
    Column("tenant", String(NAME), nullable=False, index=True),
    Column("name", String(NAME), nullable=False),
    Column("what", String(NAME), nullable=False),  # plan or forecasts
    Column("filters", JSON, nullable=False),
    Column("created_by", String(NAME + 10), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("revoked_at", Moment),
)
PLAN_IMPORTS = Table(  # a workbook that was read and compared, and waits to be taken
    "plan_imports",
    METADATA,
    Column("import_id", String(32), primary_key=True),
    Column("tenant", String(NAME), nullable=False, index=True),
    Column("night", Date, nullable=False),  # of the workbook
    Column("changes", JSON, nullable=False),
    Column("problems", JSON, nullable=False),
    Column("made_by", String(NAME + 10), nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("taken_at", Moment),
)
