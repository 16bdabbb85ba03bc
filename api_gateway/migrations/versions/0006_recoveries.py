"""The queues can be rebuilt, and it is remembered what RabbitMQ and PostgreSQL knew when."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("reconciliation", sa.Column("broker_mark", sa.Uuid))
    op.add_column("reconciliation", _moment("outcomes_until"))
    op.create_table(
        "recoveries",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="waiting"),
        sa.Column("waiting_for", sa.Text),
        _moment("restored_from"),
        sa.Column("rate_per_second", sa.Integer, nullable=False),
        sa.Column("total", sa.BigInteger),
        sa.Column("looked_at", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("enqueued", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("held", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column(
            "looked_up_to",
            sa.Uuid,
            nullable=False,
            server_default="00000000-0000-0000-0000-000000000000",
        ),
        _moment("outcomes_until"),
        _moment("claims_since"),
        _moment("due_at", now=True),
        _moment("created_at", now=True),
        _moment("finished_at"),
        sa.PrimaryKeyConstraint("id", name="pk_recoveries"),
        sa.UniqueConstraint("restored_from", name="uq_recoveries_restored_from"),
    )


def downgrade() -> None:
    op.drop_table("recoveries")
    for column in ("outcomes_until", "broker_mark"):
        op.drop_column("reconciliation", column)


def _moment(name: str, *, now: bool = False) -> sa.Column[object]:
    default = sa.func.now() if now else None
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not now, server_default=default)
