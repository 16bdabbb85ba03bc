"""What the sandbox received, read from its journal: every copy with the order it belongs to."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from carillon_stack.chaos.orders import MARK

JOURNAL = "messages.jsonl"


@dataclass(frozen=True, slots=True)
class Copy:
    """One message at one address. `at` is Unix time; `mark` its Message-ID or collapse key."""

    serial: int
    address: str
    channel: str
    mark: str | None
    at: float


Inbox = Mapping[tuple[int, str], list[Copy]]
"""The copies by serial and address, each list in the order in which they came."""


def read_inbox(sandbox_folder: Path) -> Inbox:
    """Read everything that the sandbox of this folder has received, one line at a time."""
    copies: defaultdict[tuple[int, str], list[Copy]] = defaultdict(list)
    for copy in _copies(sandbox_folder / JOURNAL):
        copies[copy.serial, copy.address].append(copy)
    return dict(copies)


def _copies(journal: Path) -> Iterator[Copy]:
    with journal.open("rb") as lines:
        for line in lines:
            head, _, content = line.partition(b"\t")
            if line.endswith(b"\n") and (mark := MARK.search(content)):
                about = json.loads(head)
                yield Copy(
                    serial=int(mark[1]),
                    address=about["to"],
                    channel=about["channel"],
                    mark=about["mark"],
                    at=datetime.fromisoformat(about["received_at"]).timestamp(),
                )
