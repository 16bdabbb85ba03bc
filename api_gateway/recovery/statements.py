"""What a recovery asks PostgreSQL, and tells it; asyncpg's own parameters."""

from api_gateway.in_flight import UNDER_WAY

_UNDER_WAY = ", ".join(f"'{status}'" for status in UNDER_WAY)

# One at a time; but a database that was restored is recovered in any case, once for each backup.
ADD = """
INSERT INTO recoveries (restored_from, rate_per_second)
SELECT $1, $2
WHERE $1::timestamptz IS NOT NULL
   OR NOT EXISTS (SELECT FROM recoveries WHERE state <> 'finished')
ON CONFLICT (restored_from) DO NOTHING
RETURNING *
"""

# Together with ADD of a restored database: what its outbox holds may have gone out since. New
# rows, and what was not due yet, go on as ever.
SET_ASIDE = """
UPDATE outbox SET leased_until = 'infinity' WHERE available_at <= now()
"""

GIVE_BACK = """
UPDATE outbox SET leased_until = NULL
WHERE notification_id = ANY($1::uuid[]) AND leased_until = 'infinity'
"""

GIVE_BACK_ALL = "UPDATE outbox SET leased_until = NULL WHERE leased_until = 'infinity'"

TAKE_OUT = """
DELETE FROM outbox WHERE notification_id = ANY($1::uuid[]) AND leased_until = 'infinity'
"""

ONE = "SELECT * FROM recoveries WHERE id = $1"

OF_BACKUP = "SELECT * FROM recoveries WHERE restored_from = $1"

LIST = """
SELECT * FROM recoveries WHERE id < coalesce($1, 9223372036854775807) ORDER BY id DESC LIMIT $2
"""

UNFINISHED = """
SELECT *, extract(epoch FROM due_at - now())::float8 AS due_in
FROM recoveries WHERE state <> 'finished' ORDER BY id LIMIT 1
"""

WAIT = "UPDATE recoveries SET waiting_for = $2 WHERE id = $1"

BEGIN = f"""
UPDATE recoveries SET
    state = 'running', waiting_for = NULL, outcomes_until = $2, claims_since = $3,
    total = (
        SELECT count(*) FROM notifications
        WHERE status IN ({_UNDER_WAY}) AND updated_at < recoveries.created_at
    )
WHERE id = $1 AND state = 'waiting'
"""

# Ordered by id over all statuses, so that one id says how far it has come: what changes its status
# meanwhile is not met twice. What made progress since the recovery was asked for is not lost.
NEXT = """
SELECT under_way.*
FROM unnest($1::text[]) AS of(status), LATERAL (
    SELECT n.*, o.leased_until = 'infinity' AS is_aside, o.id IS NOT NULL AS in_outbox
    FROM notifications n
    LEFT JOIN LATERAL (
        SELECT id, leased_until FROM outbox WHERE notification_id = n.id LIMIT 1
    ) AS o ON true
    WHERE n.status = of.status AND n.id > $2 AND n.updated_at < $3
    ORDER BY n.id LIMIT $4
) AS under_way
ORDER BY id LIMIT $4
"""

# What still stands where it stood when it was looked at.
LOCK = """
SELECT n.id FROM notifications n
JOIN unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS seen(id, updated_at, status)
    USING (id, updated_at, status)
WHERE n.id = ANY($1::uuid[])
ORDER BY n.id FOR UPDATE OF n
"""

# Only by whoever saw it where it stands: another gateway may have been quicker.
ADVANCE = """
UPDATE recoveries SET
    looked_up_to = $3, looked_at = looked_at + $4, enqueued = enqueued + $5, held = held + $6,
    due_at = now() + $7::interval
WHERE id = $1 AND state = 'running' AND looked_up_to = $2
RETURNING id
"""

FINISH = """
UPDATE recoveries SET state = 'finished', finished_at = now() WHERE id = $1 AND state = 'running'
RETURNING id
"""

# What a restored database cannot know is held, or comes back from claims.
KNOW_AGAIN = """
UPDATE reconciliation SET outcomes_until = greatest(outcomes_until, $1)
"""
