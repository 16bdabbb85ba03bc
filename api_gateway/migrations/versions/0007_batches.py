"""Notifications can be asked for in batches."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"

MEMBERS = ("notifications", "dead_letters")


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("api_key_id", sa.BigInteger),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="accepting"),
        sa.Column("holder", sa.Uuid),
        sa.Column("held_until", sa.DateTime(timezone=True)),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("accepted", sa.Integer),
        sa.Column("replayed", sa.Integer, nullable=False, server_default="0"),
        sa.Column("refused_why", JSONB, nullable=False, server_default="{}"),
        sa.Column("answer", sa.LargeBinary),
        sa.Column("correlation_id", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
    )
    op.create_index(
        "ix_batches_created_at",
        "batches",
        ["created_at"],
        postgresql_where=sa.text("answer IS NOT NULL"),
    )
    for table in MEMBERS:
        op.add_column(table, sa.Column("batch_id", sa.Uuid))
        # Most have none: they are not in the index.
        op.create_index(
            f"ix_{table}_batch_id_id",
            table,
            ["batch_id", "id"],
            postgresql_where=sa.text("batch_id IS NOT NULL"),
        )
    op.add_column("notifications", sa.Column("batch_position", sa.Integer))


def downgrade() -> None:
    op.drop_column("notifications", "batch_position")
    for table in MEMBERS:
        op.drop_index(f"ix_{table}_batch_id_id", table)
        op.drop_column(table, "batch_id")
    op.drop_table("batches")
