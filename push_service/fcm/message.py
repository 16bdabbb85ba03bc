"""FCM's message for a content.

Source: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
"""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from push_service.content import PushContent

_LONGEST_TTL_SECONDS = 4 * 7 * 24 * 3600
_LONGEST_COLLAPSE_KEY = 64  # bytes, at Apple


def message(content: PushContent, key: str) -> dict[str, Any]:
    """The body's `message`; `key` is what a device recognises a repeat by.

    On Android that is the notification's tag, and no collapse key: FCM holds at most four of
    those for a device that is offline, and would drop the fifth notification.
    Source: https://firebase.google.com/docs/cloud-messaging/customize-messages/collapsible
    """
    collapse_key = key if len(key) <= _LONGEST_COLLAPSE_KEY else sha256(key.encode()).hexdigest()
    left = (content.expires_at - datetime.now(UTC)).total_seconds()
    ttl = int(min(max(left, 0), _LONGEST_TTL_SECONDS))
    notification = {"title": content.title, "body": content.body}
    if content.image_url:
        notification["image"] = content.image_url
    webpush: dict[str, Any] = {"headers": {"TTL": str(ttl)}}
    if content.action_url and content.action_url.startswith("https://"):
        webpush["fcm_options"] = {"link": content.action_url}
    return {
        "token": content.target.value,
        "notification": notification,
        "data": dict(content.data),
        "android": {
            "priority": "high" if content.urgent else "normal",
            "ttl": f"{ttl}s",
            "notification": {"tag": collapse_key},
        },
        "apns": {
            "headers": {
                "apns-collapse-id": collapse_key,
                "apns-expiration": str(int(content.expires_at.timestamp())),
                "apns-priority": "10" if content.urgent else "5",
            }
        },
        "webpush": webpush,
    }
