"""The gateway's tables. `notifications` and `notification_events` are partitioned by id."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
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
        "ck": "ck_%(table_name)s_%(constraint_name)s",
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
    Column("batch_id", Uuid),
    Column("batch_position", Integer),
    Column("channel", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("category", Text),
    Column("template_id", Text, nullable=False),
    Column("template_version", Integer),
    Column("locale", Text),
    Column("variables", JSONB, nullable=False),
    # Null while nobody could look the template up: then all variables may be secrets.
    Column("sensitive", ARRAY(Text), server_default="{}"),
    Column("metadata", JSONB, nullable=False),
    Column("recipient", JSONB(none_as_null=True)),
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
    Column("on_unknown", Text),
    Column("sent_at", DateTime(timezone=True)),
    Column("delivered_at", DateTime(timezone=True)),
    Column("redriven_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("id"),
    Index(None, "user_id", "id"),
    Index(None, "status", "id"),
    Index(None, "batch_id", "id", postgresql_where=text("batch_id IS NOT NULL")),
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

batches = Table(
    "batches",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("api_key_id", BigInteger),
    Column("mode", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="accepting"),
    # Who takes it up, and until when nobody else does.
    Column("holder", Uuid),
    Column("held_until", DateTime(timezone=True)),
    Column("total", Integer, nullable=False),
    Column("accepted", Integer),
    Column("replayed", Integer, nullable=False, server_default="0"),
    Column("refused_why", JSONB, nullable=False, server_default="{}"),
    # What a repeat is told; kept as long as its key.
    Column("answer", LargeBinary),
    Column("correlation_id", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("cancelled_at", DateTime(timezone=True)),
    Index(None, "created_at", postgresql_where=text("answer IS NOT NULL")),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("notification_id", Uuid),
    Column("generation", Integer),
    Column("amqp_message_id", Text),
    Column("user_id", BigInteger),
    Column("batch_id", Uuid),
    Column("channel", Text),
    Column("template_id", Text),
    Column("provider", Text),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("state", Text, nullable=False, server_default="open"),
    Column("resolved_at", DateTime(timezone=True)),
    UniqueConstraint("notification_id", "generation"),
    UniqueConstraint("amqp_message_id"),
    # Each serves a filter of lists, and counts its groups without a look at the bodies.
    Index(None, "state", "id"),
    Index(None, "state", "reason", "id"),
    Index(None, "state", "channel", "id"),
    Index(None, "state", "template_id", "id"),
    Index(None, "state", "provider", "id"),
    Index(None, "state", "created_at"),
    Index(None, "user_id", "id"),
    Index(None, "batch_id", "id", postgresql_where=text("batch_id IS NOT NULL")),
)

dead_letter_jobs = Table(
    "dead_letter_jobs",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("action", Text, nullable=False),
    Column("filter", JSONB, nullable=False),
    Column("rate_per_second", Integer, nullable=False),
    Column("state", Text, nullable=False, server_default="running"),
    Column("up_to_id", BigInteger, nullable=False),
    Column("looked_at_id", BigInteger, nullable=False, server_default="0"),
    Column("total", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False, server_default="0"),
    Column("skipped", JSONB, nullable=False, server_default="{}"),
    Column("due_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("finished_at", DateTime(timezone=True)),
    Index(None, "state", "due_at"),
)

reconciliation = Table(
    "reconciliation",
    metadata,
    # One row. Who may look, and how long.
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("holder", Uuid),
    Column("held_until", DateTime(timezone=True)),
    # What RabbitMQ bears while it has lost nothing; until when all outcomes are written down.
    Column("broker_mark", Uuid),
    Column("outcomes_until", DateTime(timezone=True)),
    CheckConstraint("one", name="one"),
)

recoveries = Table(
    "recoveries",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("waiting_for", Text),
    Column("restored_from", DateTime(timezone=True), unique=True),
    Column("rate_per_second", Integer, nullable=False),
    Column("total", BigInteger),
    Column("looked_at", BigInteger, nullable=False, server_default="0"),
    Column("enqueued", BigInteger, nullable=False, server_default="0"),
    Column("held", BigInteger, nullable=False, server_default="0"),
    Column(
        "looked_up_to",
        Uuid,
        nullable=False,
        server_default="00000000-0000-0000-0000-000000000000",
    ),
    Column("outcomes_until", DateTime(timezone=True)),
    Column("claims_since", DateTime(timezone=True)),
    Column("due_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("finished_at", DateTime(timezone=True)),
)

outbox = outbox_table(metadata)
