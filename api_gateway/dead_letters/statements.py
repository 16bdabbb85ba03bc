"""What is said to PostgreSQL about dead letters; asyncpg's own parameters.

What depends on a filter is a function that answers a statement with its parameters.
"""

from typing import Any

from shared.schemas.dead_letters import DeadLetterFilter, GroupBy

ADD = """
INSERT INTO dead_letters (
    notification_id, generation, amqp_message_id, user_id, batch_id, channel, template_id,
    provider, reason, attempts, last_error, body
)
SELECT * FROM unnest(
    $1::uuid[], $2::int[], $3::text[], $4::bigint[], $5::uuid[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::int[], $11::text[], $12::bytea[]
)
ON CONFLICT DO NOTHING
"""

_SHOWN = """
id, notification_id, generation, user_id, channel, template_id, provider, reason, attempts,
last_error, state, created_at, resolved_at
"""

ONE = f"""
SELECT {_SHOWN}, substring(body FROM 1 FOR $2) AS beginning, octet_length(body) AS size
FROM dead_letters WHERE id = $1
"""

STATE_AND_BODY = """
SELECT state, CASE WHEN notification_id IS NOT NULL THEN body ELSE '' END AS body
FROM dead_letters WHERE id = $1
"""

_CONDITIONS = {
    "reason": "reason =",
    "channel": "channel =",
    "template_id": "template_id =",
    "provider": "provider =",
    "user_id": "user_id =",
    "batch_id": "batch_id =",
    "since": "created_at >=",
    "until": "created_at <",
}

_GROUPS = {
    GroupBy.REASON: "reason",
    GroupBy.CHANNEL: "channel",
    GroupBy.TEMPLATE: "template_id",
    GroupBy.PROVIDER: "provider",
    GroupBy.DAY: "to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
}


Said = tuple[str, list[Any]]


def page(wanted: DeadLetterFilter, state: str, *, before: int | None, limit: int) -> Said:
    """A page, the newest first."""
    condition, values = _matching(wanted, state, limit)
    if before is not None:
        values.append(before)
        condition += f" AND id < ${len(values)}"
    said = f"""
SELECT {_SHOWN} FROM dead_letters WHERE state = $1 AND {condition} ORDER BY id DESC LIMIT $2
"""
    return said, values


def groups(wanted: DeadLetterFilter, state: str, group_by: GroupBy, *, limit: int) -> Said:
    """The largest groups; with each the number of all letters, and of all groups."""
    condition, values = _matching(wanted, state, limit)
    said = f"""
SELECT value, count, sum(count) OVER ()::bigint AS letters, count(*) OVER () AS groups
FROM (
    SELECT {_GROUPS[group_by]} AS value, count(*) AS count FROM dead_letters
    WHERE state = $1 AND {condition} GROUP BY 1
) AS counted
ORDER BY count DESC, value LIMIT $2
"""
    return said, values


def _matching(wanted: DeadLetterFilter, *known: Any) -> Said:
    """A filter as a condition; its parameters come after those `known`."""
    words, values = ["true"], list(known)
    for name, comparison in _CONDITIONS.items():
        if (value := getattr(wanted, name)) is not None:
            values.append(value)
            words.append(f"{comparison} ${len(values)}")
    return " AND ".join(words), values


# Letters before notifications, each in the order of their ids: whoever locks them cannot meet
# somebody who locks them the other way round.
LOCK_LETTERS = """
SELECT id, notification_id, generation, state, resolved_at,
       CASE WHEN notification_id IS NOT NULL THEN body ELSE '' END AS body
FROM dead_letters WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE
"""

LOCK_NOTIFICATIONS = """
SELECT id, status, generation, sent_at, delivered_at, created_at, redriven_at, expires_at
FROM notifications WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
"""

# What was not edited stays: null. No version is pinned: the newest is sent.
RENEW = """
UPDATE notifications n SET
    template_version = NULL,
    variables = coalesce(again.variables, n.variables),
    recipient = coalesce(again.recipient, n.recipient),
    expires_at = again.expires_at, redriven_at = again.at
FROM unnest($1::uuid[], $2::jsonb[], $3::jsonb[], $4::timestamptz[], $5::timestamptz[])
    AS again(id, variables, recipient, expires_at, at)
WHERE n.id = again.id AND n.id = ANY($1::uuid[])
"""

RESOLVE = """
UPDATE dead_letters SET state = $2, resolved_at = now() WHERE id = ANY($1::bigint[])
"""

DISCARD = """
UPDATE dead_letters SET state = 'discarded', resolved_at = now()
WHERE id = $1 AND state = 'open'
"""

OPEN_BY_REASON = """
SELECT reason, count(*) AS count FROM dead_letters WHERE state = 'open' GROUP BY reason
"""


def next_letters(wanted: DeadLetterFilter, *, after: int, up_to: int, most: int) -> Said:
    """A job's next letters."""
    condition, values = _matching(wanted, after, up_to, most)
    said = f"""
SELECT id FROM dead_letters WHERE state = 'open' AND id > $1 AND id <= $2 AND {condition}
ORDER BY id LIMIT $3 FOR UPDATE
"""
    return said, values


def add_job(action: str, wanted: DeadLetterFilter, rate_per_second: int) -> Said:
    """A job on what is open now."""
    told = wanted.model_dump_json(exclude_none=True)
    condition, values = _matching(wanted, action, told, rate_per_second)
    said = f"""
INSERT INTO dead_letter_jobs (action, filter, rate_per_second, total, up_to_id)
SELECT $1, $2::jsonb, $3, count(*), coalesce(max(id), 0)
FROM dead_letters WHERE state = 'open' AND {condition}
RETURNING *
"""
    return said, values


ONE_JOB = "SELECT * FROM dead_letter_jobs WHERE id = $1"

JOBS = """
SELECT * FROM dead_letter_jobs WHERE $1::bigint IS NULL OR id < $1 ORDER BY id DESC LIMIT $2
"""

CANCEL_JOB = """
UPDATE dead_letter_jobs SET state = 'cancelled', updated_at = now(), finished_at = now()
WHERE id = $1 AND state = 'running'
"""

DUE_IN = """
SELECT extract(epoch FROM min(due_at) - now())::float8 FROM dead_letter_jobs
WHERE state = 'running'
"""

# Locked for as long as its batch takes: of all gateways one works on a job at a time, and one that
# dies leaves it, and the batch, as they were.
TAKE_JOB = """
SELECT * FROM dead_letter_jobs WHERE state = 'running' AND due_at <= now()
ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""

ADVANCE_JOB = """
UPDATE dead_letter_jobs SET
    state = $2, looked_at_id = $3, done = $4, skipped = $5::jsonb,
    due_at = greatest(due_at + $6::interval, now()), updated_at = now(),
    finished_at = CASE WHEN $2 = 'finished' THEN now() END
WHERE id = $1
"""
