"""API keys, as every service but the gateway checks them: by asking the gateway."""

import time
from collections import OrderedDict

from shared.http import Neighbour
from shared.schemas.access import Caller, KeyAnswer, KeyQuestion

_SECONDS = 10.0
_MOST = 1000


class GatewayKeys:
    """An Authenticator that remembers an answer for ten seconds."""

    def __init__(self, gateway: Neighbour) -> None:
        self._gateway = gateway
        self._known: OrderedDict[str, tuple[float, Caller | None]] = OrderedDict()

    async def __call__(self, key: str) -> Caller | None:
        known = self._known.get(key)
        if known and known[0] > time.monotonic():
            return known[1]
        answer = await self._gateway.ask(
            "/internal/api-keys/verify", KeyQuestion(key=key), KeyAnswer
        )
        self._known[key] = (time.monotonic() + _SECONDS, answer.caller)
        self._known.move_to_end(key)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        return answer.caller
