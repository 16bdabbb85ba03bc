"""The first tables, with the default partitions that catch what no month was made for."""

from alembic import op

from api_gateway import models

revision = "0001"
down_revision = None


def upgrade() -> None:
    models.metadata.create_all(op.get_bind())
    for table in ("notifications", "notification_events"):
        op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")


def downgrade() -> None:
    models.metadata.drop_all(op.get_bind())
