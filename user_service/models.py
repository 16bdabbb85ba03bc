"""The tables. `users.version` orders every change of a person, wherever it was made."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
    true,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)


def _moment(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


users = Table(
    "users",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("username", Text, nullable=False),
    Column("username_key", Text, nullable=False, unique=True),  # what it is compared by
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False, unique=True),
    Column("phone_number", Text),
    Column("external_id", Text, unique=True),
    Column("password_hash", Text),
    Column("active", Boolean, nullable=False, server_default=true()),
    Column("version", BigInteger, nullable=False, server_default="1"),
    _moment("created_at"),
    _moment("updated_at"),
)

preferences = Table(
    "preferences",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("email_enabled", Boolean, nullable=False, server_default=true()),
    Column("push_enabled", Boolean, nullable=False, server_default=true()),
    Column("sms_enabled", Boolean, nullable=False, server_default=true()),
    Column("language", Text),
    Column("timezone", Text),
)

devices = Table(
    "devices",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("active", Boolean, nullable=False, server_default=true()),
    Column("dead_since", DateTime(timezone=True)),
    _moment("created_at"),
    _moment("updated_at"),
    UniqueConstraint("kind", "value", name="uq_devices_kind_value"),
    Index("ix_devices_user_id_id", "user_id", "id"),
)
