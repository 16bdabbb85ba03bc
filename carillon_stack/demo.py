"""A first user, a first template on each channel, a first notification on each: over HTTP only."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from carillon_stack.errors import StackError
from carillon_stack.facts import Facts

CHANNELS = ("email", "push", "sms")
DONE = {"sent", "delivered"}
OVER = DONE | {"skipped", "failed", "cancelled", "expired", "bounced", "complained"}

TEMPLATES: Mapping[str, dict[str, Any]] = {
    "email": {
        "template_id": "demo_welcome_email",
        "name": "Demo: welcome by email",
        "channel": "email",
        "subject": "Welcome, {{name}}!",
        "body_text": "Hello {{name}},\n\nyour first notification has arrived.\n\n{{action_url}}\n",
        "body_html": (
            "<h1>Hello {{name}}</h1><p>Your first notification has arrived.</p>"
            '<p><a href="{{action_url}}">Have a look</a></p>'
        ),
        "variables": ["name", "action_url"],
    },
    "push": {
        "template_id": "demo_welcome_push",
        "name": "Demo: welcome by push",
        "channel": "push",
        "title": "Welcome, {{name}}!",
        "body_text": "Your first notification has arrived.",
        "action_url": "{{action_url}}",
        "variables": ["name", "action_url"],
    },
    "sms": {
        "template_id": "demo_welcome_sms",
        "name": "Demo: welcome by SMS",
        "channel": "sms",
        "body_text": "Hello {{name}}, your first notification has arrived: {{action_url}}",
        "variables": ["name", "action_url"],
    },
}


@dataclass(frozen=True)
class Person:
    """Who the demo notifies."""

    user_id: Any
    email: str
    phone_number: str
    push_token: str

    def address(self, channel: str) -> str:
        return {"email": self.email, "push": self.push_token, "sms": self.phone_number}[channel]


class Demo:
    """Plays the first notifications against a running stack."""

    def __init__(self, facts: Facts, say: Callable[[str], None]) -> None:
        self._say = say
        self._gateway = httpx.Client(
            base_url=facts.services["api_gateway"],
            headers={"Authorization": f"Bearer {facts.api_key}"},
            timeout=15,
            trust_env=False,
        )
        self._sandbox = httpx.Client(base_url=facts.sandbox_url, timeout=15, trust_env=False)

    def play(self, *, seconds: float = 60) -> bool:
        """Send on every channel; return whether all arrived within the given time."""
        person = self._make_person()
        for template in TEMPLATES.values():
            self._call("POST", "/templates", template, tolerate=httpx.codes.CONFLICT)
        self._say("Made templates for email, push and SMS.")
        requests = {channel: self._send(person, channel) for channel in CHANNELS}
        deadline = time.monotonic() + seconds
        # All are watched even if one fails: a person wants to see every timeline.
        arrived = [
            self._watch(channel, request, deadline) and self._received(person, channel)
            for channel, request in requests.items()
        ]
        return all(arrived)

    def _make_person(self) -> Person:
        mark = secrets.token_hex(3)
        person = {
            "username": f"ada-{mark}",
            "email": f"ada-{mark}@example.com",
            "phone_number": f"+1415555{secrets.randbelow(9000) + 1000}",
        }
        user = self._call("POST", "/users", person)
        token = f"demo-device-{mark}"
        self._call("PUT", f"/users/{user['id']}/preferences", {"push_token": token})
        self._say(f"Made user {user['id']}: {person['email']}, {person['phone_number']}, a phone.")
        return Person(user["id"], person["email"], person["phone_number"], token)

    def _send(self, person: Person, channel: str) -> str:
        request = {
            "user_id": person.user_id,
            "channel": channel,
            "template_id": TEMPLATES[channel]["template_id"],
            "variables": {"name": "Ada Lovelace", "action_url": "https://example.com/hello"},
            "priority": "high",
        }
        return str(self._call("POST", "/notifications/send", request)["request_id"])

    def _watch(self, channel: str, request_id: str, deadline: float) -> bool:
        """Show a notification's timeline as it grows; return whether it was sent."""
        shown = 0
        self._say(f"{channel} {request_id}")
        while True:
            state = self._call("GET", f"/notifications/{request_id}")
            timeline = state.get("timeline", [])
            for entry in timeline[shown:]:
                self._say(f"    {_line(entry)}")
            shown = len(timeline)
            if state["status"] in OVER:
                return state["status"] in DONE
            if time.monotonic() > deadline:
                self._say(f"    still {state['status']}: gave up waiting")
                return False
            time.sleep(0.1)

    def _received(self, person: Person, channel: str) -> bool:
        """Tell whether the sandbox holds the message, as it should be."""
        wanted = {"channel": channel, "to": person.address(channel)}
        messages = self._sandbox.get("/messages", params=wanted).raise_for_status().json()
        if not messages:
            self._say(f"    the sandbox received no {channel} for {wanted['to']}")
            return False
        message = messages[0]
        complete = channel != "email" or (
            message["subject"] == "Welcome, Ada Lovelace!"
            and "Hello Ada Lovelace" in message["text"]
            and "<h1>Hello Ada Lovelace</h1>" in message["html"]
        )
        summary = message.get("subject") or message.get("title") or message.get("text") or ""
        self._say(f"    {'received' if complete else 'INCOMPLETE'}: “{summary.strip()}”")
        return complete

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, tolerate: int = 0
    ) -> Any:
        response = self._gateway.request(method, path, json=body)
        if response.is_success or response.status_code == tolerate:
            return response.json()["data"]
        raise StackError(f"{method} {path} answered {response.status_code}: {response.text}")


def _line(entry: Mapping[str, Any]) -> str:
    """Return a timeline entry in one line, whatever it tells besides its status."""
    rest = {key: value for key, value in entry.items() if key not in {"status", "at"} and value}
    return "  ".join(
        [
            str(entry.get("at", "")),
            f"{entry.get('status', ''):<10}",
            *(f"{key}={value}" for key, value in rest.items()),
        ]
    )
