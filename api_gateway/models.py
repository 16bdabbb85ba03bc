"""The gateway's tables. `notifications` and `notification_events` are partitioned by id."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.outbox import outbox_table

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_NOW = text("now()")

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("key_hash", LargeBinary, nullable=False, unique=True),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("mode", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("last_used_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
)

notifications = Table(
    "notifications",
    metadata,
    Column("id", Uuid, nullable=False),
    Column("api_key_id", BigInteger),
    Column("mode", Text, nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("category", Text),
    Column("template_id", Text, nullable=False),
    Column("template_version", Integer),
    Column("locale", Text),
    Column("variables", JSONB, nullable=False),
    Column("metadata", JSONB, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("generation", Integer, nullable=False, server_default="1"),
    Column("hop", Integer, nullable=False, server_default="1"),
    Column("rank", SmallInteger, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("provider", Text),
    Column("provider_message_id", Text),
    Column("correlation_id", Text, nullable=False),
    Column("traceparent", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("sent_at", DateTime(timezone=True)),
    Column("delivered_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("id"),
    Index(None, "user_id", "id"),
    Index(None, "status", "id"),
    postgresql_partition_by="RANGE (id)",
)

notification_events = Table(
    "notification_events",
    metadata,
    Column("notification_id", Uuid, nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("hop", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("provider", Text),
    Column("provider_message_id", Text),
    Column("device", Text),
    Column("detail", Text),
    Column("started_at", DateTime(timezone=True)),
    Column("at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("notification_id", "event_id"),
    postgresql_partition_by="RANGE (notification_id)",
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("api_key_id", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("notification_id", Uuid, nullable=False),
    Column("answer", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    PrimaryKeyConstraint("api_key_id", "key"),
    Index(None, "created_at"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("notification_id", Uuid),
    Column("generation", Integer),
    Column("amqp_message_id", Text),
    Column("channel", Text),
    Column("template_id", Text),
    Column("provider", Text),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    UniqueConstraint("notification_id", "generation"),
    UniqueConstraint("amqp_message_id"),
    Index(None, "reason", "id"),
)

outbox = outbox_table(metadata)
