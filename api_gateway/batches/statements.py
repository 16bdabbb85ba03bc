"""What is said to PostgreSQL about batches; asyncpg's own parameters."""

from api_gateway.accept.statements import KEYS_KEPT
from api_gateway.in_flight import UNDER_WAY

# The key and its batch stand or fall together; the batch is held by who began it.
BEGIN = f"""
WITH taken AS (
    INSERT INTO idempotency_keys AS k (api_key_id, key, fingerprint, notification_id, answer)
    SELECT $2, $3, $4, $1, '{{}}' WHERE $3::text IS NOT NULL
    ON CONFLICT (api_key_id, key) DO UPDATE
        SET fingerprint = excluded.fingerprint, notification_id = excluded.notification_id,
            answer = excluded.answer, created_at = now()
        WHERE k.created_at <= now() - interval '{KEYS_KEPT}'
    RETURNING key
)
INSERT INTO batches (
    id, api_key_id, mode, holder, held_until, total, correlation_id, created_at
)
SELECT $1, nullif($2::bigint, 0), $5, $6, now() + $7::interval, $8, $9, $10
WHERE $3::text IS NULL OR EXISTS (SELECT FROM taken)
RETURNING id
"""

KNOWN = f"""
SELECT k.fingerprint, k.notification_id AS id FROM idempotency_keys k
WHERE k.api_key_id = $1 AND k.key = $2 AND k.created_at > now() - interval '{KEYS_KEPT}'
"""

STANDING = """
SELECT *, coalesce(held_until > now(), false) AND holder IS NOT NULL AS is_held
FROM batches WHERE id = $1
"""

TAKE_OVER = """
UPDATE batches SET holder = $2, held_until = now() + $3::interval
WHERE id = $1 AND state = 'accepting' AND (holder IS NULL OR held_until <= now())
RETURNING id
"""

LET_GO = "UPDATE batches SET holder = NULL WHERE id = $1 AND holder = $2"

FINISH = """
UPDATE batches SET
    state = 'accepted', holder = NULL, held_until = NULL,
    accepted = $3, replayed = $4, refused_why = $5::jsonb, answer = $6
WHERE id = $1 AND state = 'accepting' AND (holder = $2 OR cancelled_at IS NOT NULL)
RETURNING id
"""

# Ids begin with their time: what was made before the batch, whole partitions of it, is not
# looked at.
TAKEN_UP = """
SELECT batch_position, id FROM notifications WHERE batch_id = $1 AND id > $1
"""

COUNTS = """
SELECT status, reason, count(*) AS count FROM notifications
WHERE batch_id = $1 AND id > $1 GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
"""

PAGE = """
SELECT b.*, (
    SELECT count(*) FROM notifications n WHERE n.batch_id = b.id AND n.id > b.id
    AND b.accepted IS NULL
) AS so_far
FROM batches b WHERE $1::uuid IS NULL OR b.id < $1 ORDER BY b.id DESC LIMIT $2
"""

CANCEL = """
UPDATE batches SET cancelled_at = coalesce(cancelled_at, now()), holder = NULL WHERE id = $1
RETURNING id
"""

# What somebody is about to publish is left to the licence.
TAKE_OUT = f"""
WITH waiting AS (
    SELECT o.id FROM notifications n JOIN outbox o ON o.notification_id = n.id
    WHERE n.batch_id = $1 AND n.id > $1
      AND n.status IN ({", ".join(f"'{status}'" for status in UNDER_WAY)})
      AND (o.leased_until IS NULL OR o.leased_until <= now())
    ORDER BY n.id LIMIT $2 FOR UPDATE OF o SKIP LOCKED
)
DELETE FROM outbox USING waiting WHERE outbox.id = waiting.id
RETURNING outbox.notification_id, outbox.generation, outbox.hop, outbox.body
"""

FORGET_ANSWERS = f"""
UPDATE batches SET answer = NULL
WHERE answer IS NOT NULL AND created_at <= now() - interval '{KEYS_KEPT}'
"""
