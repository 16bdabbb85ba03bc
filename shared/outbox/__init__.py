"""The outbox: what was committed and is still to be published, and the relay that drains it."""

from shared.outbox.relay import Relay
from shared.outbox.rows import Written
from shared.outbox.table import outbox_table

__all__ = ["Relay", "Written", "outbox_table"]
