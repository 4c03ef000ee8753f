"""Overrides with all their versions, scenarios."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_SQLITE = (
    "CREATE TRIGGER overrides_{0} BEFORE {0} ON overrides BEGIN SELECT RAISE(ABORT, 'overrides is append-only'); END"
)
_POSTGRESQL = (
    """CREATE TRIGGER overrides_changed BEFORE UPDATE OR DELETE ON overrides
        FOR EACH ROW EXECUTE FUNCTION refuse_change()""",
    """CREATE TRIGGER overrides_emptied BEFORE TRUNCATE ON overrides
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()""",
)


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "plans",
        sa.Column("tenant", sa.String(length=100), nullable=False),
        sa.Column("plan_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_plans")),
    )
    op.create_table(
        "overrides",
        sa.Column("tenant", sa.String(length=100), nullable=False),
        sa.Column("override_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("plan_version", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("site", sa.String(length=100), nullable=True),
        sa.Column("product", sa.String(length=100), nullable=True),
        sa.Column("product_group", sa.String(length=100), nullable=True),
        sa.Column("product_sub_group", sa.String(length=100), nullable=True),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("last", sa.Date(), nullable=False),
        sa.Column("how", sa.String(length=10), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_withdrawn", sa.Boolean(), nullable=False),
        sa.Column("made_by", sa.String(length=110), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_on_night", sa.Date(), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("baseline", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "override_id", "version", name=op.f("pk_overrides")),
    )
    op.create_index("ix_overrides_plan_version", "overrides", ["tenant", "plan_version"], unique=False)
    op.create_table(
        "scenarios",
        sa.Column("tenant", sa.String(length=100), nullable=False),
        sa.Column("scenario_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("night", sa.Date(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("made_by", sa.String(length=110), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(length=110), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "scenario_id", name=op.f("pk_scenarios")),
    )
    _keep_overrides()


def _keep_overrides() -> None:
    """What somebody said of a plan is neither changed nor deleted: he is judged by it."""
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(_SQLITE.format(change))
    else:
        for statement in _POSTGRESQL:
            op.execute(statement)


def downgrade() -> None:
    """Back."""
    op.drop_table("scenarios")
    op.drop_index("ix_overrides_plan_version", table_name="overrides")
    op.drop_table("overrides")
    op.drop_table("plans")
