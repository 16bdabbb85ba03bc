"""One gateway at a time reconciles."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "reconciliation",
        sa.Column("one", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("holder", sa.Uuid),
        sa.Column("held_until", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("one", name="pk_reconciliation"),
        sa.CheckConstraint("one", name="ck_reconciliation_one"),
    )
    op.execute("INSERT INTO reconciliation DEFAULT VALUES")


def downgrade() -> None:
    op.drop_table("reconciliation")
