"""Recoveries: rebuild the queues from PostgreSQL, and follow it."""

import time
from collections.abc import Iterator
from datetime import datetime

from carillon_client.transport import Transport
from shared.schemas.recoveries import Recovery, RecoveryState

_LOOK_EVERY_SECONDS = 0.3


class Recoveries:
    """`/recoveries`; every call raises CarillonError.

    Looking needs a key with the scope `read`, starting one with `admin`.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def start(
        self,
        *,
        restored_from: datetime | None = None,
        force: bool = False,
        rate_per_second: int = 1000,
    ) -> Recovery:
        """Begins one; `restored_from` is when the backup was made, if a database was restored.

        `force`, although RabbitMQ seems to have lost nothing.
        """
        body = {"restored_from": restored_from, "force": force, "rate_per_second": rate_per_second}
        return self._transport.call("POST", "/recoveries", Recovery, body=body).data

    def get(self, recovery_id: int) -> Recovery:
        return self._transport.call("GET", f"/recoveries/{recovery_id}", Recovery).data

    def list(self, *, limit: int | None = None) -> Iterator[Recovery]:
        """The newest first; all without a limit."""
        return self._transport.pages("/recoveries", Recovery, limit=limit)

    def follow(self, recovery_id: int) -> Iterator[Recovery]:
        """The recovery again and again, until it is finished."""
        while True:
            now = self.get(recovery_id)
            yield now
            if now.state is RecoveryState.FINISHED:
                return
            time.sleep(_LOOK_EVERY_SECONDS)
