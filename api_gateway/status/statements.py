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
RETURNING event_id
"""

# A state is ordered by (generation, hop, rank), never by arrival; proof of delivery beats every
# decision; between equals the later one stands. What stands is all of one report; attempts and
# moments are the greatest of all reports: every order of arrival ends in the same row. Parameters
# are sorted by id, so that two gateways lock rows in the same order.
MOVE = """
WITH news AS (
    SELECT * FROM unnest(
        $1::uuid[], $2::int[], $3::int[], $4::smallint[], $5::boolean[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::timestamptz[],
        $11::int[], $12::timestamptz[], $13::timestamptz[], $14::text[]
    ) AS u(id, generation, hop, rank, is_proof, status, reason, provider, provider_message_id, at,
           attempts, sent_at, delivered_at, secrets)
), locked AS (
    SELECT n.id FROM notifications n WHERE n.id = ANY($1::uuid[]) ORDER BY n.id FOR UPDATE
)
UPDATE notifications n SET
    status = news.status,
    reason = news.reason,
    generation = news.generation,
    hop = news.hop,
    rank = news.rank,
    provider = news.provider,
    provider_message_id = news.provider_message_id,
    updated_at = news.at,
    attempts = greatest(n.attempts, news.attempts),
    sent_at = greatest(n.sent_at, news.sent_at),
    delivered_at = greatest(n.delivered_at, news.delivered_at),
    sensitive = CASE
        WHEN news.secrets IS NULL OR string_to_array(news.secrets, ',') <@ n.sensitive
        THEN n.sensitive
        ELSE ARRAY(
            SELECT unnest(n.sensitive) UNION SELECT unnest(string_to_array(news.secrets, ','))
        )
    END
FROM news JOIN locked USING (id)
WHERE n.id = news.id AND n.id = ANY($1::uuid[])
  AND (news.is_proof, news.generation, news.hop, news.rank, news.at)
      > (n.status IN ('delivered', 'complained'), n.generation, n.hop, n.rank, n.updated_at)
RETURNING n.id, n.sensitive IS DISTINCT FROM '{}' AS has_secrets
"""

# With the final status, in its transaction. The names stay, so that a redrive can ask for values.
FORGET_SECRETS = """
UPDATE notifications n SET variables = (
    SELECT coalesce(jsonb_object_agg(
        name, CASE WHEN name = ANY(coalesce(n.sensitive, ARRAY[name])) THEN 'null' ELSE value END
    ), '{}')
    FROM jsonb_each(n.variables) AS given(name, value)
)
WHERE n.id = ANY($1::uuid[])
"""

# For the notifications that MOVE locked, and left where they stand.
NOTE = """
WITH news AS (
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::timestamptz[])
        AS u(id, attempts, sent_at, delivered_at)
)
UPDATE notifications n SET
    attempts = greatest(n.attempts, news.attempts),
    sent_at = greatest(n.sent_at, news.sent_at),
    delivered_at = greatest(n.delivered_at, news.delivered_at)
FROM news
WHERE n.id = news.id AND n.id = ANY($1::uuid[])
  AND (n.attempts, n.sent_at, n.delivered_at) IS DISTINCT FROM (
      greatest(n.attempts, news.attempts), greatest(n.sent_at, news.sent_at),
      greatest(n.delivered_at, news.delivered_at)
  )
"""

ONE = "SELECT * FROM notifications WHERE id = $1"

EVENTS = """
SELECT * FROM notification_events WHERE notification_id = $1 ORDER BY generation, hop, at, event_id
"""
