"""The two statements of accept, and the look-up before them; asyncpg's own parameters."""

KEYS_KEPT = "24 hours"

KNOWN_KEYS = f"""
SELECT k.api_key_id, k.key, k.fingerprint, k.answer
FROM idempotency_keys k
JOIN unnest($1::bigint[], $2::text[]) AS asked(api_key_id, key) USING (api_key_id, key)
WHERE k.created_at > now() - interval '{KEYS_KEPT}'
"""

# One statement: keys, notifications and outbox rows stand or fall together. A key that another
# transaction took in this instant keeps its notification out; a second statement reads it, for
# this one cannot see it. Of a batch nothing is inserted but by who holds it.
ACCEPT = f"""
WITH held AS (
    SELECT FROM batches WHERE id = $26 AND holder = $27 FOR SHARE
), given AS (
    SELECT * FROM unnest(
        $1::uuid[], $2::bigint[], $3::text[], $4::bytea[], $5::jsonb[],
        $6::text[], $7::bigint[], $8::text[], $9::text[], $10::smallint[], $11::text[],
        $12::text[], $13::int[], $14::text[], $15::jsonb[], $16::text[], $17::jsonb[],
        $18::text[], $19::text[], $20::timestamptz[], $21::timestamptz[], $22::text[],
        $23::bytea[], $24::int[]
    ) AS g(
        id, api_key_id, key, fingerprint, answer,
        mode, user_id, channel, priority, urgency, category,
        template_id, template_version, locale, variables, sensitive, metadata,
        correlation_id, traceparent, created_at, expires_at, on_unknown, body, position
    )
    WHERE $26::uuid IS NULL OR EXISTS (SELECT FROM held)
), taken AS (
    INSERT INTO idempotency_keys AS k (api_key_id, key, fingerprint, notification_id, answer)
    SELECT api_key_id, key, fingerprint, id, answer FROM given
    WHERE key IS NOT NULL ORDER BY api_key_id, key
    ON CONFLICT (api_key_id, key) DO UPDATE
        SET fingerprint = excluded.fingerprint, notification_id = excluded.notification_id,
            answer = excluded.answer, created_at = now()
        WHERE k.created_at <= now() - interval '{KEYS_KEPT}'
    RETURNING notification_id
), fresh AS (
    SELECT given.* FROM given LEFT JOIN taken ON taken.notification_id = given.id
    WHERE given.key IS NULL OR taken.notification_id IS NOT NULL
), made AS (
    INSERT INTO notifications (
        id, api_key_id, mode, user_id, channel, priority, category, template_id,
        template_version, locale, variables, sensitive, metadata, status, correlation_id,
        traceparent, created_at, updated_at, expires_at, on_unknown, batch_id, batch_position
    )
    SELECT id, nullif(api_key_id, 0), mode, user_id, channel, priority, category, template_id,
           template_version, locale, variables, string_to_array(sensitive, ','), metadata,
           'queued', correlation_id, traceparent, created_at, created_at, expires_at, on_unknown,
           $26, position
    FROM fresh
), boxed AS (
    INSERT INTO outbox (notification_id, generation, hop, priority, leased_until, body)
    SELECT id, 1, 1, urgency, now() + $25::interval, body FROM fresh
)
SELECT id FROM fresh
"""

FORGET_OLD_KEYS = f"""
DELETE FROM idempotency_keys WHERE ctid IN (
    SELECT ctid FROM idempotency_keys
    WHERE created_at <= now() - interval '{KEYS_KEPT}' LIMIT $1
    FOR UPDATE SKIP LOCKED
)
"""
