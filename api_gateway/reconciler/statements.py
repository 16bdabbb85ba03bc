"""What the reconciler asks PostgreSQL, and tells it; asyncpg's own parameters."""

from api_gateway.in_flight import HOP, UNDER_WAY
from shared.schemas.vocabulary import Status

# One gateway at a time; another takes over when this one has not renewed it for a while. What a
# recovery goes through is not looked at.
HOLD = """
UPDATE reconciliation SET holder = $1, held_until = now() + $2::interval
WHERE (holder = $1 OR held_until IS NULL OR held_until < now())
  AND NOT EXISTS (SELECT FROM recoveries WHERE state <> 'finished')
RETURNING now()
"""

LET_GO = "UPDATE reconciliation SET holder = NULL, held_until = NULL WHERE holder = $1"

# A part of the index: neither many that are well nor many of another lane make it long. The last
# id looked at comes with every row, and in a row of its own where nothing stands still.
STALLED = f"""
WITH looked AS MATERIALIZED (
    SELECT n.id, n.channel, n.priority, n.generation, {HOP} AS hop, n.updated_at
    FROM notifications n WHERE n.status = $1 AND n.id > $2 AND n.id < $3
    ORDER BY n.id LIMIT $4
)
SELECT last.looked, last.id AS last, still.*
FROM (SELECT count(*) OVER () AS looked, id FROM looked ORDER BY id DESC LIMIT 1) AS last
LEFT JOIN (
    SELECT looked.* FROM looked
    JOIN unnest($6::text[], $7::text[]) AS wanted(channel, priority) USING (channel, priority)
    WHERE looked.updated_at < $5
      AND NOT EXISTS (SELECT FROM outbox WHERE notification_id = looked.id)
) AS still ON true
"""

# The first ones that a provider took of those accepted after a moment: lanes are first in, first
# out, so whatever was in such a lane at that moment has left it.
OVERTAKEN = f"""
SELECT DISTINCT lane.name
FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[])
    AS lane(name, channel, priority, since),
(VALUES ('{Status.SENT}'), ('{Status.DELIVERED}')) AS done(status),
LATERAL (
    SELECT channel, priority FROM notifications
    WHERE status = done.status AND id > lane.since ORDER BY id LIMIT $5
) AS newer
WHERE newer.channel = lane.channel AND newer.priority = lane.priority
"""

UNCHANGED = f"""
SELECT n.* FROM notifications n
JOIN unnest($1::uuid[], $2::int[], $3::int[]) AS suspect(id, generation, hop) ON n.id = suspect.id
WHERE n.id = ANY($1::uuid[]) AND n.status IN ({", ".join(f"'{status}'" for status in UNDER_WAY)})
  AND n.generation = suspect.generation AND {HOP} = suspect.hop
  AND NOT EXISTS (SELECT FROM outbox WHERE notification_id = n.id)
"""
