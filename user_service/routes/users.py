"""`/users`: the people themselves."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from shared.schemas.access import Scope
from shared.schemas.envelope import Envelope, Failure
from shared.schemas.text import LineText
from shared.schemas.users import BulkAnswer, BulkUsers, NewUser, User, UserChange
from shared.service import require
from shared.service.paging import Cursor, Limit, key_in, page
from user_service.routes.answers import ROW_KEY, UserId, changed
from user_service.service import Users

Documented = dict[int | str, dict[str, Any]]


def routes(users: Users) -> APIRouter:
    """The routes; each needs the scope `users`."""
    router = APIRouter(prefix="/users", tags=["users"], dependencies=[require(Scope.USERS)])
    taken: Documented = {
        409: {"model": Failure, "description": "A unique field is taken; it is named."}
    }
    unknown: Documented = {404: {"model": Failure, "description": "There is no such user."}}

    @router.post("", status_code=201, summary="Make a user", responses=taken)
    async def create_user(new: NewUser) -> Envelope[User]:
        return changed(await users.create(new), "User created successfully")

    @router.get("", summary="List users")
    async def list_users(
        limit: Limit = 50,
        cursor: Cursor = None,
        username: Annotated[LineText | None, Query(description="Exactly this one.")] = None,
        email: Annotated[LineText | None, Query(description="Exactly this one.")] = None,
        external_id: Annotated[LineText | None, Query(description="Exactly this one.")] = None,
    ) -> Envelope[list[User]]:
        found = await users.page(
            after=key_in(cursor, ROW_KEY) or 0,
            limit=limit + 1,
            username=username,
            email=email,
            external_id=external_id,
        )
        return page(found, limit, key=lambda user: user.id)

    @router.put("/bulk", summary="Make or update up to 1,000 users by external_id")
    async def put_users(given: BulkUsers) -> Envelope[BulkAnswer]:
        """Each entry has its own result; one that fails leaves the others alone."""
        done = await users.put_many(given.users)
        counts = done.value
        return changed(
            done, f"{counts.created} created, {counts.updated} updated, {counts.failed} failed"
        )

    @router.get("/{user_id}", summary="Read a user", responses=unknown)
    async def read_user(user_id: UserId) -> Envelope[User]:
        return Envelope(data=await users.read(user_id))

    @router.put("/{user_id}", summary="Change a user", responses=unknown | taken)
    async def change_user(user_id: UserId, wanted: UserChange) -> Envelope[User]:
        """Only what is given changes. `{"active": false}` deactivates."""
        return changed(await users.change(user_id, wanted), "User updated successfully")

    @router.delete("/{user_id}", summary="Delete a user", responses=unknown)
    async def delete_user(user_id: UserId) -> Envelope[None]:
        """Everything that is kept of the person goes: user, preferences and devices."""
        return changed(await users.delete(user_id), "User deleted")

    return router
