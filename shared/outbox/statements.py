"""What is said to PostgreSQL about the outbox; asyncpg's own parameters."""

LEASE = """
WITH due AS (
    SELECT id FROM outbox WHERE available_at <= now()
    ORDER BY priority, available_at LIMIT $1
    FOR UPDATE SKIP LOCKED
)
UPDATE outbox SET available_at = now() + $2::interval
FROM due WHERE outbox.id = due.id
RETURNING outbox.notification_id, outbox.generation, outbox.hop, outbox.body
"""

DELETE = """
DELETE FROM outbox USING unnest($1::uuid[], $2::int[], $3::int[]) AS gone(id, generation, hop)
WHERE outbox.notification_id = gone.id
  AND outbox.generation = gone.generation AND outbox.hop = gone.hop
"""

INSERT = """
INSERT INTO outbox (notification_id, generation, hop, priority, available_at, body)
SELECT * FROM unnest(
    $1::uuid[], $2::int[], $3::int[], $4::smallint[], $5::timestamptz[], $6::bytea[]
)
ON CONFLICT ON CONSTRAINT uq_outbox_hop DO NOTHING
"""

STATE = """
SELECT count(*) FILTER (WHERE available_at <= now()) AS due,
       count(*) FILTER (WHERE available_at > now()) AS scheduled,
       coalesce(extract(epoch FROM now() - min(available_at)), 0) AS oldest
FROM outbox
"""
