"""Who may call: `Authorization: Bearer …`, checked against the scope that a route names."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr
from starlette.types import Scope as AsgiScope

from shared.errors import Forbidden, Unauthenticated
from shared.schemas.access import Caller, Scope

Authenticator = Callable[[str], Awaitable[Caller | None]]
"""Who holds this API key; None for an unknown or revoked one."""

NEIGHBOUR = Caller(key_id=None, name="internal", scopes=frozenset({Scope.ADMIN}))
"""Another service of the suite, known by the internal service token."""

OPEN_CALLER = Caller(key_id=None, name="loopback", scopes=frozenset({Scope.ADMIN}))
"""A caller from this machine while the gateway runs open."""

_LOOPBACK = ("127.0.0.1", "::1")

_bearer = HTTPBearer(auto_error=False, description="An API key, made with `POST /api-keys`.")


class Access:
    """Decides who a request comes from."""

    def __init__(
        self, authenticate: Authenticator, internal_token: SecretStr, *, open_loopback: bool = False
    ) -> None:
        self._authenticate = authenticate
        self._internal_token = internal_token.get_secret_value().encode()
        self._open_loopback = open_loopback

    def is_neighbour(self, credential: str) -> bool:
        return hmac.compare_digest(credential.encode(), self._internal_token)

    async def caller(self, credential: str | None, host: str | None) -> Caller:
        """Who calls from this host; raises Unauthenticated."""
        if credential is None:
            if self._open_loopback and host in _LOOPBACK:
                return OPEN_CALLER
            raise Unauthenticated("Give an API key: Authorization: Bearer <key>.")
        if self.is_neighbour(credential):
            return NEIGHBOUR
        caller = await self._authenticate(credential)
        if caller is None:
            raise Unauthenticated("This API key is unknown or revoked.")
        return caller


async def _caller(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    access: Access = request.app.state.access
    credential = bearer.credentials if bearer else None
    return await access.caller(credential, request.client.host if request.client else None)


def require(scope: Scope) -> Any:
    """A dependency that yields the Caller, or ends the request with 401 or 403."""

    async def check(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
        return _entitled(caller, scope)

    return Depends(check)


async def caller_of(asgi: AsgiScope, authorization: bytes | None, scope: Scope) -> Caller:
    """What `require` yields, for a request that FastAPI does not read.

    Raises Unauthenticated or Forbidden.
    """
    access: Access = asgi["app"].state.access
    kind, _, credential = (authorization or b"").decode("latin-1").partition(" ")
    given = credential.strip() if kind.lower() == "bearer" else None
    client = asgi.get("client")
    return _entitled(await access.caller(given or None, client[0] if client else None), scope)


def _entitled(caller: Caller, scope: Scope) -> Caller:
    if not caller.may(scope):
        raise Forbidden(f"This API key lacks the scope '{scope}'.")
    return caller


async def _neighbour(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
    if caller is not NEIGHBOUR:
        raise Forbidden("This address is for the services of the suite.")
    return caller


neighbours_only = Depends(_neighbour)
"""A dependency for addresses that only the suite's own services may call."""
