"""Dead letters can be resolved: their state, jobs on many, and one address for a redrive."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"

INDEXED = (
    ("state", "id"),
    ("state", "reason", "id"),
    ("state", "channel", "id"),
    ("state", "template_id", "id"),
    ("state", "provider", "id"),
    ("state", "created_at"),
    ("user_id", "id"),
)


def upgrade() -> None:
    op.add_column("notifications", sa.Column("recipient", JSONB))
    op.add_column("notifications", _moment("redriven_at"))
    op.add_column("dead_letters", sa.Column("user_id", sa.BigInteger))
    op.add_column(
        "dead_letters", sa.Column("state", sa.Text, nullable=False, server_default="open")
    )
    op.add_column("dead_letters", _moment("resolved_at"))
    op.execute(
        "UPDATE dead_letters d SET user_id = n.user_id FROM notifications n "
        "WHERE n.id = d.notification_id"
    )
    for columns in INDEXED:
        op.create_index(_index(columns), "dead_letters", list(columns))
    # Nothing reads it: every list is of one state.
    op.drop_index("ix_dead_letters_reason_id", "dead_letters")
    _jobs()


def downgrade() -> None:
    op.drop_table("dead_letter_jobs")
    op.create_index("ix_dead_letters_reason_id", "dead_letters", ["reason", "id"])
    for columns in INDEXED:
        op.drop_index(_index(columns), "dead_letters")
    for column in ("resolved_at", "state", "user_id"):
        op.drop_column("dead_letters", column)
    for column in ("redriven_at", "recipient"):
        op.drop_column("notifications", column)


def _jobs() -> None:
    op.create_table(
        "dead_letter_jobs",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("filter", JSONB, nullable=False),
        sa.Column("rate_per_second", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="running"),
        sa.Column("up_to_id", sa.BigInteger, nullable=False),
        sa.Column("looked_at_id", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("done", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("skipped", JSONB, nullable=False, server_default="{}"),
        _moment("due_at", now=True),
        _moment("created_at", now=True),
        _moment("updated_at", now=True),
        _moment("finished_at"),
        sa.PrimaryKeyConstraint("id", name="pk_dead_letter_jobs"),
    )
    op.create_index("ix_dead_letter_jobs_state_due_at", "dead_letter_jobs", ["state", "due_at"])


def _index(columns: tuple[str, ...]) -> str:
    return "_".join(("ix_dead_letters", *columns))


def _moment(name: str, *, now: bool = False) -> sa.Column[object]:
    default = sa.func.now() if now else None
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not now, server_default=default)
