"""The tables: a template, and its versions, which are only ever added."""

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.schemas.vocabulary import Channel

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_channel = Enum(
    Channel,
    native_enum=False,
    length=16,
    values_callable=lambda channels: [channel.value for channel in channels],
)

templates = Table(
    "templates",
    metadata,
    Column("template_id", Text, primary_key=True),
    Column("channel", _channel, nullable=False),
    Column("active", Boolean, nullable=False, server_default=true()),
    Column("latest_version", Integer, nullable=False),
    Column(
        "languages",
        ARRAY(Text),
        nullable=False,
        comment="In the order they came; the first is shown where no wanted one exists.",
    ),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

template_versions = Table(
    "template_versions",
    metadata,
    Column("template_id", Text, ForeignKey(templates.c.template_id), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("language", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("fields", JSONB, nullable=False, comment="Field name to template text."),
    Column("variables", ARRAY(Text), nullable=False, comment="What a request must give."),
    Column(
        "variables_derived",
        Boolean,
        nullable=False,
        comment="Whether `variables` follows from the texts; else the author named them.",
    ),
    Column("used_variables", ARRAY(Text), nullable=False),
    Column("header_variables", ARRAY(Text), nullable=False),
    Column(
        "sensitive",
        ARRAY(Text),
        nullable=False,
        server_default="{}",
        comment="Variables whose values are secrets.",
    ),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index(None, "template_id", "language", "version"),
)
