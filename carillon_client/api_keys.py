"""API keys."""

from collections.abc import Collection, Iterator

from carillon_client.transport import Transport
from shared.schemas.access import Scope
from shared.schemas.api_keys import ApiKey, ApiKeyMade
from shared.schemas.vocabulary import Mode


class ApiKeys:
    """`/api-keys`; every call raises CarillonError. Needs a key with the scope `admin`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self, name: str, scopes: Collection[Scope | str], *, mode: Mode | str = Mode.LIVE
    ) -> ApiKeyMade:
        """A new key; its `key` is shown this once. A `test` key's notifications go nowhere."""
        new = {"name": name, "scopes": list(scopes), "mode": mode}
        return self._transport.call("POST", "/api-keys", ApiKeyMade, body=new).data

    def list(self, *, limit: int | None = None) -> Iterator[ApiKey]:
        """The newest first; all without a limit."""
        return self._transport.pages("/api-keys", ApiKey, limit=limit)

    def revoke(self, key_id: int) -> ApiKey:
        """The key is refused from now on."""
        return self._transport.call("DELETE", f"/api-keys/{key_id}", ApiKey).data
