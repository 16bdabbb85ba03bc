"""The inbox page: what was received, for a person's eyes; plain HTML that needs no JavaScript."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from jinja2 import Environment, FileSystemLoader
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import BaseRoute, Route

from carillon_stack.sandbox.messages import Channel
from carillon_stack.sandbox.shown import shown
from carillon_stack.sandbox.store import MessageStore

LISTED = 100
REFRESH_SECONDS = 5

CHANNEL_NAMES: dict[Channel, str] = {"email": "Email", "push": "Push", "sms": "SMS"}

HEADERS = {
    # A message's own scripts, pictures and frames stay where they are: nothing phones home.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; "
        "form-action 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def inbox_routes(store: MessageStore) -> list[BaseRoute]:
    """The list at `/` and one page for each message."""
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "pages"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.globals["channel_names"] = CHANNEL_NAMES
    pages.filters["ago"] = ago
    pages.filters["pretty_json"] = _pretty_json

    async def inbox(request: Request) -> HTMLResponse:
        asked = request.query_params.get("channel")
        channel = asked if asked in get_args(Channel) else None
        found = store.newest(channel, limit=LISTED)
        return _page(
            await run_in_threadpool(
                lambda: pages.get_template("inbox.html").render(
                    messages=[_listed(shown(message)) for message in found],
                    channel=channel,
                    stats=store.stats(),
                    limit=LISTED,
                    refresh=REFRESH_SECONDS,
                )
            )
        )

    async def message(request: Request) -> HTMLResponse:
        found = store.find(request.path_params["id"])
        if found is None:
            return _page(pages.get_template("missing.html").render(), 404)
        content = shown(found)
        return _page(
            pages.get_template("message.html").render(
                message=content, headline=_listed(content)["headline"]
            )
        )

    return [
        Route("/", inbox, methods=["GET"]),
        Route("/inbox/{id}", message, methods=["GET"]),
    ]


def ago(received_at: str, now: datetime | None = None) -> str:
    """How long ago a time was, in the largest whole unit."""
    seconds = int(
        ((now or datetime.now(UTC)) - datetime.fromisoformat(received_at)).total_seconds()
    )
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return "just now"


def _listed(message: dict[str, Any]) -> dict[str, Any]:
    """A message with what its line in the list says."""
    match message["channel"]:
        case "email":
            headline, snippet = message["subject"], message["text"] or ""
        case "push":
            headline, snippet = message["title"], message["body"] or ""
        case _:
            headline, snippet = message["text"], ""
    return {**message, "headline": headline or "(no title)", "snippet": snippet[:200]}


def _pretty_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _page(html: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(html, status, HEADERS)
