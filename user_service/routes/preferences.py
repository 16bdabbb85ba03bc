"""`/users/{user_id}/preferences`: what a user allows."""

from fastapi import APIRouter

from shared.schemas.access import Scope
from shared.schemas.envelope import Envelope, Failure
from shared.schemas.users import Preferences, PreferencesChange
from shared.service import require
from user_service.routes.answers import UserId, changed
from user_service.service import Users


def routes(users: Users) -> APIRouter:
    """The routes; each needs the scope `users`."""
    router = APIRouter(
        prefix="/users/{user_id}/preferences",
        tags=["preferences"],
        dependencies=[require(Scope.USERS)],
        responses={404: {"model": Failure, "description": "There is no such user."}},
    )

    @router.get("", summary="Read a user's preferences")
    async def read_preferences(user_id: UserId) -> Envelope[Preferences]:
        return Envelope(data=await users.preferences(user_id))

    @router.put("", summary="Change a user's preferences")
    async def change_preferences(
        user_id: UserId, wanted: PreferencesChange
    ) -> Envelope[Preferences]:
        """Only what is given changes.

        No send begins against the older preferences once this has answered, or from
        `meta.effective_at` on when that is given.
        """
        done = await users.change_preferences(user_id, wanted)
        return changed(done, "Preferences updated successfully")

    return router
