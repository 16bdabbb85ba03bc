"""What is said to PostgreSQL about the outbox; asyncpg's own parameters."""

# One priority after the other, each by its part of the index: neither a long backlog nor many
# scheduled rows are sorted or walked through to find the next ones.
LEASE = """
WITH due AS (
    SELECT ripe.id
    FROM (VALUES (0), (1), (2), (3)) AS urgency(priority) CROSS JOIN LATERAL (
        SELECT id FROM outbox
        WHERE outbox.priority = urgency.priority AND available_at <= now()
          AND (leased_until IS NULL OR leased_until <= now())
        ORDER BY available_at LIMIT $1
        FOR UPDATE SKIP LOCKED
    ) AS ripe
    LIMIT $1
)
UPDATE outbox SET leased_until = now() + $2::interval
FROM due WHERE outbox.id = due.id
RETURNING outbox.notification_id, outbox.generation, outbox.hop, outbox.body
"""

RETURN = """
UPDATE outbox SET leased_until = NULL
FROM unnest($1::uuid[], $2::int[], $3::int[]) AS back(id, generation, hop)
WHERE outbox.notification_id = back.id
  AND outbox.generation = back.generation AND outbox.hop = back.hop
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
       extract(epoch FROM now() - min(available_at)) AS oldest
FROM outbox
"""
