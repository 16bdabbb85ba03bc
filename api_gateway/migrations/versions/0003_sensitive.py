"""Which of a notification's variables are secrets."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("notifications", sa.Column("sensitive", sa.ARRAY(sa.Text), server_default="{}"))


def downgrade() -> None:
    op.drop_column("notifications", "sensitive")
