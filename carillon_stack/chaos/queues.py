"""What still lies in RabbitMQ's queues, taken by a worker or not."""

from collections.abc import Mapping
from urllib.parse import quote

import httpx

from carillon_stack.deadline import wait_until

_SECONDS = 30.0
"""Queues tell their lengths every few seconds."""


def left_in_queues(management_url: str, vhost: str = "/") -> Mapping[str, int]:
    """Return the queues that do not become empty within half a minute, with their lengths."""
    address = f"{management_url}/api/queues/{quote(vhost, safe='')}"
    left: dict[str, int] = {}

    def empty() -> bool:
        left.clear()
        left.update(_lengths(address))
        return not left

    wait_until(empty, seconds=_SECONDS, every=1.0)
    return left


def _lengths(address: str) -> dict[str, int]:
    totals = {"disable_stats": "true", "enable_queue_totals": "true"}
    try:
        answer = httpx.get(
            address,
            params=totals,
            auth=("guest", "guest"),
            timeout=10,
            trust_env=False,
        )
        queues = answer.raise_for_status().json()
    except httpx.HTTPError as error:
        return {repr(error): 1}
    return {queue["name"]: queue["messages"] for queue in queues if queue.get("messages")}
