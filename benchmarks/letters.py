"""What everybody sends in these measurements: the same request, the same text, the same size."""

import json
from collections.abc import Iterable, Iterator

TEMPLATE_ID = "bench_order_shipped"
SENDER = "Carillon <hello@carillon.example>"

SUBJECT = "{{name}}, your order {{order}} is on its way"
TEXT = """\
Hello {{name}},

your order {{order}} has left our warehouse this morning and should be with you within two days.
You can follow the parcel here: {{link}}

If anything is wrong with it, simply answer this message; somebody will read it.

With kind regards,
the shop
"""
HTML = """\
<h1>Hello {{name}}</h1>
<p>Your order <strong>{{order}}</strong> has left our warehouse this morning and should be with
you within two days. You can <a href="{{link}}">follow the parcel</a>.</p>
<p>If anything is wrong with it, simply answer this message; somebody will read it.</p>
<p>With kind regards,<br>the shop</p>
"""
VARIABLES = {
    "name": "Ada Lovelace",
    "order": "A-20261125-0042",
    "link": "https://shop.example/parcels/A-20261125-0042",
}
TEMPLATE = {
    "template_id": TEMPLATE_ID,
    "name": "Bench: order shipped",
    "channel": "email",
    "subject": SUBJECT,
    "body_text": TEXT,
    "body_html": HTML,
    "variables": sorted(VARIABLES),
}


def address(user: str | int) -> str:
    """The email address that a user has here."""
    return f"reader-{user}@example.com"


def request(user_id: int) -> dict[str, object]:
    """What `POST /notifications/send` is asked."""
    return {
        "user_id": user_id,
        "channel": "email",
        "template_id": TEMPLATE_ID,
        "variables": VARIABLES,
        "metadata": {"order": 42},
    }


def bodies(user_ids: Iterable[int]) -> Iterator[str]:
    """The same as JSON, for each of these users."""
    return (json.dumps(request(user_id), separators=(",", ":")) for user_id in user_ids)
