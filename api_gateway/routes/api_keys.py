"""`/api-keys`: make, list, revoke; and the question that neighbours ask."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import TypeAdapter

from api_gateway.keys.repository import ApiKeyRepository
from api_gateway.keys.ring import KeyRing, hash_of, make_key, prefix_of
from shared.errors import NotFound
from shared.schemas.access import Caller, KeyAnswer, KeyQuestion, Scope
from shared.schemas.api_keys import ApiKey, ApiKeyCreate, ApiKeyMade
from shared.schemas.envelope import Envelope
from shared.schemas.text import BigId
from shared.service import require
from shared.service.access import neighbours_only
from shared.service.paging import Cursor, Limit, key_in, page

_KEY: TypeAdapter[int] = TypeAdapter(BigId)


def api_key_routes(repository: ApiKeyRepository, ring: KeyRing) -> APIRouter:
    """The routes, on what they need."""
    router = APIRouter(tags=["api keys"])

    @router.post(
        "/api-keys",
        status_code=201,
        summary="Make an API key",
        response_description="The key itself is shown here and never again.",
    )
    async def create_api_key(
        body: ApiKeyCreate, _caller: Annotated[Caller, require(Scope.ADMIN)]
    ) -> Envelope[ApiKeyMade]:
        key = make_key(body.mode)
        row = await repository.add(
            name=body.name,
            prefix=prefix_of(key),
            key_hash=hash_of(key),
            scopes=body.scopes,
            mode=body.mode,
        )
        made = ApiKeyMade(key=key, **_shown(row).model_dump())
        return Envelope(data=made, message="Keep this key: it is not shown again.")

    @router.get("/api-keys", summary="List API keys, newest first")
    async def list_api_keys(
        _caller: Annotated[Caller, require(Scope.ADMIN)],
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Envelope[list[ApiKey]]:
        rows = await repository.list(before=key_in(cursor, _KEY), limit=limit + 1)
        return page([_shown(row) for row in rows], limit, key=lambda key: key.id)

    @router.delete("/api-keys/{key_id}", summary="Revoke an API key, at once")
    async def revoke_api_key(
        key_id: BigId, _caller: Annotated[Caller, require(Scope.ADMIN)]
    ) -> Envelope[ApiKey]:
        row = await repository.revoke(key_id)
        if row is None:
            raise NotFound(f"There is no API key {key_id}.")
        ring.forget(key_id)
        return Envelope(data=_shown(row), message="Revoked.")

    @router.post(
        "/internal/api-keys/verify", include_in_schema=False, dependencies=[neighbours_only]
    )
    async def verify_api_key(question: KeyQuestion) -> Envelope[KeyAnswer]:
        return Envelope(data=KeyAnswer(caller=await ring(question.key)))

    return router


def _shown(row: Any) -> ApiKey:
    return ApiKey(**{name: getattr(row, name) for name in ApiKey.model_fields})
