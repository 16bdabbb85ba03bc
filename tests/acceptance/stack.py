"""A running stack as a test uses it: HTTP to the gateway and to the sandbox's inbox."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

BULK = 1000
FINAL = {"sent", "delivered", "skipped", "failed", "expired", "cancelled"}


def until(condition: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """What `condition` returns once it is true; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := condition():
                return found
            problem = ""
        except httpx.TransportError as error:
            problem = f" ({error!r})"
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}{problem}"
        time.sleep(0.1)


def heads(sandbox: httpx.Client) -> list[dict[str, Any]]:
    """To whom, when, under which mark: what costs a sandbox little to tell of all its emails."""
    lines = sandbox.get("/messages.ndjson").raise_for_status().text.splitlines()
    return [head for head in map(json.loads, lines) if head["channel"] == "email"]


def emails(sandbox: httpx.Client) -> Counter[str]:
    """How many emails a sandbox has received, by address."""
    return Counter(head["to"] for head in heads(sandbox))


class Stack:
    """One stack."""

    def __init__(self, carillon: Callable[..., str], home: Path) -> None:
        self.carillon = carillon
        self.home = home
        self.api = httpx.Client(timeout=20)
        self.sandbox = httpx.Client(timeout=20)
        self.info: dict[str, Any] = {}

    def up(self, *words: str) -> None:
        """Starts it, or what is missing of it, and learns where it is."""
        self.carillon("up", "--detach", *words)
        self.info = json.loads(self.carillon("info", "--json"))
        self.api.base_url = self.url
        self.api.headers["Authorization"] = f"Bearer {self.info['api_key']}"
        self.sandbox.base_url = self.info["sandbox"]["url"]

    @property
    def url(self) -> str:
        return str(self.info["services"]["api_gateway"]["url"])

    def pids(self, name: str) -> list[int]:
        """The process ids of a service or an engine, as of now."""
        info = json.loads(self.carillon("info", "--json"))
        if name == "sandbox":
            return list(info["sandbox"]["pids"])
        return list((info["services"] | info["engines"])[name]["pids"])

    def user(self, **given: Any) -> dict[str, Any]:
        """A new user with every address."""
        name = f"u{uuid4().hex[:16]}"
        body = {"username": name, "email": f"{name}@example.com", **given}
        return self.data(self.api.post("/users", json=body))

    def users(self, count: int) -> list[dict[str, Any]]:
        """Many new users at once: each with `id` and `email`."""
        if count > BULK:
            return [
                user for n in range(0, count, BULK) for user in self.users(min(BULK, count - n))
            ]
        names = [f"u{uuid4().hex[:16]}" for _ in range(count)]
        bodies = [
            {"external_id": name, "username": name, "email": f"{name}@example.com"}
            for name in names
        ]
        results = self.data(self.api.put("/users/bulk", json={"users": bodies}))["results"]
        return [
            {"id": result["user_id"], "email": body["email"]}
            for result, body in zip(results, bodies, strict=True)
        ]

    def template(self, channel: str = "email", **given: Any) -> str:
        """A new template's id."""
        template_id = f"t{uuid4().hex[:16]}"
        fields: dict[str, Any] = {"body_text": "Hello {{name}}, welcome!"}
        if channel == "email":
            fields |= {"subject": "Welcome {{name}}!", "body_html": "<p>Hello {{name}}</p>"}
        if channel == "push":
            fields |= {"title": "Welcome {{name}}!"}
        body = {"template_id": template_id, "name": "Welcome", "channel": channel, **fields}
        self.data(self.api.post("/templates", json={**body, "variables": ["name"], **given}))
        return template_id

    def send(self, user_id: int, template_id: str, channel: str = "email", **given: Any) -> str:
        """Sends, and returns the notification's id."""
        body = {
            "user_id": user_id,
            "channel": channel,
            "template_id": template_id,
            "variables": {"name": "Ada"},
            **given,
        }
        response = self.api.post("/notifications/send", json=body)
        assert response.status_code == 202, response.text
        return str(self.data(response)["request_id"])

    def send_all(self, users: Iterable[dict[str, Any]]) -> dict[str, str]:
        """Sends an email to each; the address by the notification's id."""
        template_id = self.template()
        return {self.send(user["id"], template_id): user["email"] for user in users}

    def notification(self, request_id: str) -> dict[str, Any]:
        return self.data(self.api.get(f"/notifications/{request_id}"))

    def final(self, request_id: str, *, seconds: float = 20) -> dict[str, Any]:
        """The notification once its status is final."""

        def is_final() -> dict[str, Any] | None:
            notification = self.notification(request_id)
            return notification if notification["status"] in FINAL else None

        return until(is_final, seconds=seconds, what=f"{request_id} is final")

    def received(self, channel: str, to: str) -> list[dict[str, Any]]:
        """What the sandbox received for one recipient, newest first."""
        response = self.sandbox.get("/messages", params={"channel": channel, "to": to})
        response.raise_for_status()
        return list(response.json())

    def emails(self) -> Counter[str]:
        """How many emails the sandbox has received, by address."""
        return emails(self.sandbox)

    def until_received(self, addresses: Iterable[str], *, seconds: float) -> None:
        """Returns when each of these addresses has received an email."""
        wanted = set(addresses)

        def all_there() -> bool:
            wanted.difference_update(self.emails())
            return not wanted

        until(all_there, seconds=seconds, what=f"emails to {len(wanted)} addresses")

    def until_healthy(self, *, seconds: float) -> None:
        """Returns when every service says that all it stands on is well."""
        addresses = [service["url"] for service in self.info["services"].values()]

        def all_ok() -> bool:
            answers = [httpx.get(f"{url}/health", timeout=5).json() for url in addresses]
            return all(answer["status"] == "ok" for answer in answers)

        until(all_ok, seconds=seconds, what="every service is healthy")

    def providers(self) -> tuple[str, dict[str, Any]]:
        """What the email service's `/health` says: its status, and each account's line."""
        url = self.info["services"]["email_service"]["url"]
        report = httpx.get(f"{url}/health", timeout=5).json()
        lines = report["dependencies"].items()
        return report["status"], {name: c for name, c in lines if name.startswith("smtp")}

    def close(self) -> None:
        self.api.close()
        self.sandbox.close()

    @staticmethod
    def data(response: httpx.Response) -> Any:
        body = response.json()
        assert body["success"], response.text
        return body["data"]
