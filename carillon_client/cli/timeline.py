"""A notification's timeline, as it is and as it grows."""

from rich.text import Text

from carillon_client.cli.screen import console, shown
from carillon_client.client import Carillon
from shared.schemas.notifications import Notification, NotificationDetail, TimelineEntry
from shared.schemas.vocabulary import Status

REACHED = frozenset({Status.SENT, Status.DELIVERED})


def show_timeline(timeline: list[TimelineEntry]) -> None:
    """A line for each entry."""
    for entry in timeline:
        console.print(_line(entry))


def show_until_final(carillon: Carillon, request_id: str, seconds: float) -> NotificationDetail:
    """Show each entry as it comes; returns the notification as it then stands."""
    told: list[TimelineEntry] = []
    with console.status("waiting …", spinner="dots"):
        for now in carillon.follow(request_id, seconds=seconds):
            fresh = [entry for entry in now.timeline if entry not in told]
            show_timeline(fresh)
            told += fresh
    console.print(_conclusion(now))
    return now


def _line(entry: TimelineEntry) -> Text:
    told = [
        entry.meaning or entry.reason,
        entry.attempt and f"attempt {entry.attempt}",
        entry.provider,
        entry.device and f"device {entry.device}",
        entry.provider_message_id,
        entry.detail,
    ]
    line = Text.assemble("  ", (f"{entry.at.astimezone():%H:%M:%S.%f}"[:-3], "dim"), "  ")
    line.append(f"{entry.status:<12}", shown(entry.status).style)
    line.append_text(Text(" · ").join(shown(word) for word in told if word))
    line.rstrip()
    return line


def _conclusion(notification: Notification) -> Text:
    seconds = (notification.updated_at - notification.created_at).total_seconds()
    if notification.status in REACHED:
        return Text.assemble(
            ("✓ ", "bold green"), shown(notification.status), f" in {seconds:.2f} s"
        )
    if not notification.status.is_final:
        return Text.assemble(("… ", "bold yellow"), "still ", shown(notification.status))
    why = f": {notification.meaning}" if notification.meaning else ""
    return Text.assemble(("✗ ", "bold red"), shown(notification.status), shown(why))
