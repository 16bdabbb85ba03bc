"""How outcomes enter the timeline and move a notification's state; asyncpg's own parameters."""

ADD_EVENTS = """
INSERT INTO notification_events (
    notification_id, event_id, generation, hop, attempt, status, reason,
    provider, provider_message_id, device, detail, started_at, at
)
SELECT * FROM unnest(
    $1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::int[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::text[], $11::text[], $12::timestamptz[], $13::timestamptz[]
)
ON CONFLICT DO NOTHING
"""

# A state is ordered by (generation, hop, rank), never by arrival; proof of delivery beats every
# decision. Parameters are sorted by id, so that two gateways lock rows in the same order.
MOVE = """
WITH news AS (
    SELECT * FROM unnest(
        $1::uuid[], $2::int[], $3::int[], $4::smallint[], $5::boolean[], $6::text[], $7::text[],
        $8::int[], $9::text[], $10::text[], $11::timestamptz[]
    ) AS u(id, generation, hop, rank, is_proof, status, reason, tries, provider,
           provider_message_id, at)
), locked AS (
    SELECT n.id FROM notifications n WHERE n.id = ANY($1::uuid[]) ORDER BY n.id FOR UPDATE
)
UPDATE notifications n SET
    status = news.status,
    reason = news.reason,
    generation = news.generation,
    hop = news.hop,
    rank = news.rank,
    attempts = greatest(n.attempts, news.tries),
    provider = coalesce(news.provider, n.provider),
    provider_message_id = coalesce(news.provider_message_id, n.provider_message_id),
    updated_at = news.at,
    sent_at = CASE WHEN news.status = 'sent' THEN news.at ELSE n.sent_at END,
    delivered_at = CASE WHEN news.status = 'delivered' THEN news.at ELSE n.delivered_at END
FROM news JOIN locked USING (id)
WHERE n.id = news.id AND n.id = ANY($1::uuid[])
  AND (news.is_proof, news.generation, news.hop, news.rank)
      > (n.status IN ('delivered', 'complained'), n.generation, n.hop, n.rank)
"""

ONE = "SELECT * FROM notifications WHERE id = $1"

EVENTS = """
SELECT * FROM notification_events WHERE notification_id = $1 ORDER BY generation, hop, at, event_id
"""
