"""Variables that are secrets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column(
        "template_versions",
        sa.Column(
            "sensitive",
            postgresql.ARRAY(sa.Text),
            nullable=False,
            server_default="{}",
            comment="Variables whose values are secrets.",
        ),
    )


def downgrade() -> None:
    op.drop_column("template_versions", "sensitive")
