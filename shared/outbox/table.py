"""The outbox's table."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    UniqueConstraint,
    Uuid,
    text,
)


def outbox_table(metadata: MetaData) -> Table:
    """One row for each message that waits to be published.

    `available_at` is when it is due. Whoever is about to publish a row takes it until
    `leased_until`, and deletes it once RabbitMQ has confirmed; a lease that ran out leaves the row
    to others. `body` is the message as it will travel. A second row for the same hop is never
    made.
    """
    return Table(
        "outbox",
        metadata,
        Column("id", BigInteger, Identity(), primary_key=True),
        Column("notification_id", Uuid, nullable=False),
        Column("generation", Integer, nullable=False),
        Column("hop", Integer, nullable=False),
        Column("priority", SmallInteger, nullable=False),
        Column(
            "available_at", DateTime(timezone=True), nullable=False, server_default=text("now()")
        ),
        # In no index, so that a lease rewrites nothing but the row.
        Column("leased_until", DateTime(timezone=True)),
        Column("body", LargeBinary, nullable=False),
        UniqueConstraint("notification_id", "generation", "hop", name="uq_outbox_hop"),
        Index("ix_outbox_due", "priority", "available_at"),
        # Rows live for seconds: dead ones must be swept often.
        postgresql_with={"autovacuum_vacuum_scale_factor": "0.01", "fillfactor": "70"},
    )
