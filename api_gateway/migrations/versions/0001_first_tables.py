"""The first tables, with the default partitions that catch what no month was made for."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

PARTITIONED = ("notifications", "notification_events")


def upgrade() -> None:
    _api_keys()
    _notifications()
    _notification_events()
    _idempotency_keys()
    _dead_letters()
    _outbox()
    for table in PARTITIONED:
        op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")


def downgrade() -> None:
    for table in ("outbox", "dead_letters", "idempotency_keys", *PARTITIONED, "api_keys"):
        op.drop_table(table)


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("key_hash", sa.LargeBinary, nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        _moment("created_at", now=True),
        _moment("last_used_at", nullable=True),
        _moment("revoked_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("key_hash", name="uq_api_keys_key_hash"),
    )


def _notifications() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("api_key_id", sa.BigInteger),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("priority", sa.Text, nullable=False),
        sa.Column("category", sa.Text),
        sa.Column("template_id", sa.Text, nullable=False),
        sa.Column("template_version", sa.Integer),
        sa.Column("locale", sa.Text),
        sa.Column("variables", JSONB, nullable=False),
        sa.Column("metadata", JSONB, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("generation", sa.Integer, nullable=False, server_default="1"),
        sa.Column("hop", sa.Integer, nullable=False, server_default="1"),
        sa.Column("rank", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("provider", sa.Text),
        sa.Column("provider_message_id", sa.Text),
        sa.Column("correlation_id", sa.Text, nullable=False),
        sa.Column("traceparent", sa.Text),
        _moment("created_at"),
        _moment("updated_at"),
        _moment("expires_at"),
        _moment("sent_at", nullable=True),
        _moment("delivered_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index("ix_notifications_user_id_id", "notifications", ["user_id", "id"])
    op.create_index("ix_notifications_status_id", "notifications", ["status", "id"])


def _notification_events() -> None:
    op.create_table(
        "notification_events",
        sa.Column("notification_id", sa.Uuid, nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("hop", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("provider", sa.Text),
        sa.Column("provider_message_id", sa.Text),
        sa.Column("device", sa.Text),
        sa.Column("detail", sa.Text),
        _moment("started_at", nullable=True),
        _moment("at"),
        sa.PrimaryKeyConstraint("notification_id", "event_id", name="pk_notification_events"),
        postgresql_partition_by="RANGE (notification_id)",
    )


def _idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("api_key_id", sa.BigInteger, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("notification_id", sa.Uuid, nullable=False),
        sa.Column("answer", JSONB, nullable=False),
        _moment("created_at", now=True),
        sa.PrimaryKeyConstraint("api_key_id", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])


def _dead_letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("notification_id", sa.Uuid),
        sa.Column("generation", sa.Integer),
        sa.Column("amqp_message_id", sa.Text),
        sa.Column("channel", sa.Text),
        sa.Column("template_id", sa.Text),
        sa.Column("provider", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("last_error", sa.Text),
        sa.Column("body", sa.LargeBinary, nullable=False),
        _moment("created_at", now=True),
        sa.PrimaryKeyConstraint("id", name="pk_dead_letters"),
        sa.UniqueConstraint(
            "notification_id", "generation", name="uq_dead_letters_notification_id_generation"
        ),
        sa.UniqueConstraint("amqp_message_id", name="uq_dead_letters_amqp_message_id"),
    )
    op.create_index("ix_dead_letters_reason_id", "dead_letters", ["reason", "id"])


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("notification_id", sa.Uuid, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("hop", sa.Integer, nullable=False),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        _moment("available_at", now=True),
        _moment("leased_until", nullable=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("notification_id", "generation", "hop", name="uq_outbox_hop"),
        postgresql_with={"autovacuum_vacuum_scale_factor": "0.01", "fillfactor": "70"},
    )
    op.create_index("ix_outbox_due", "outbox", ["priority", "available_at"])


def _moment(name: str, *, nullable: bool = False, now: bool = False) -> sa.Column[object]:
    default = sa.func.now() if now else None
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=default)
