"""What an unknown outcome means for a notification, where its category says."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("notifications", sa.Column("on_unknown", sa.Text))


def downgrade() -> None:
    op.drop_column("notifications", "on_unknown")
