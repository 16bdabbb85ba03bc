"""Templates and their versions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "templates",
        sa.Column("template_id", sa.Text, nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("latest_version", sa.Integer, nullable=False),
        sa.Column(
            "languages",
            postgresql.ARRAY(sa.Text),
            nullable=False,
            comment="In the order they came; the first is shown where no wanted one exists.",
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.PrimaryKeyConstraint("template_id", name=op.f("pk_templates")),
    )
    op.create_table(
        "template_versions",
        sa.Column("template_id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column(
            "fields", postgresql.JSONB, nullable=False, comment="Field name to template text."
        ),
        sa.Column(
            "variables",
            postgresql.ARRAY(sa.Text),
            nullable=False,
            comment="What a request must give.",
        ),
        sa.Column(
            "variables_derived",
            sa.Boolean,
            nullable=False,
            comment="Whether `variables` follows from the texts; else the author named them.",
        ),
        sa.Column("used_variables", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column("header_variables", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.ForeignKeyConstraint(
            ["template_id"],
            ["templates.template_id"],
            name=op.f("fk_template_versions_template_id_templates"),
        ),
        sa.PrimaryKeyConstraint("template_id", "version", name=op.f("pk_template_versions")),
    )
    op.create_index(
        op.f("ix_template_versions_template_id_language_version"),
        "template_versions",
        ["template_id", "language", "version"],
    )


def downgrade() -> None:
    op.drop_table("template_versions")
    op.drop_table("templates")
