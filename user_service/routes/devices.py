"""`/users/{user_id}/devices`: what pushes are sent to."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from shared.schemas.access import Scope
from shared.schemas.envelope import Envelope, Failure
from shared.schemas.text import BigId
from shared.schemas.users import Device, NewDevice
from shared.service import require
from shared.service.paging import Cursor, Limit, key_in, page
from user_service.changes import Changed
from user_service.routes.answers import ROW_KEY, UserId, changed
from user_service.service import Users


class RemovedDevices(BaseModel):
    """How many devices a user lost."""

    removed: int


def routes(users: Users) -> APIRouter:
    """The routes; each needs the scope `users`."""
    router = APIRouter(
        prefix="/users/{user_id}/devices",
        tags=["devices"],
        dependencies=[require(Scope.USERS)],
        responses={404: {"model": Failure, "description": "There is no such user or device."}},
    )

    @router.post(
        "",
        status_code=201,
        summary="Register a device",
        responses={200: {"model": Envelope[Device], "description": "It was known already."}},
    )
    async def register_device(
        user_id: UserId, new: NewDevice, response: Response
    ) -> Envelope[Device]:
        """Registering again switches a device on; one that another user had moves to this one."""
        done = await users.register_device(user_id, new)
        if not done.value.is_new:
            response.status_code = 200
        return changed(Changed(done.value.device, done.effective_at), "Device registered")

    @router.get("", summary="List a user's devices")
    async def list_devices(
        user_id: UserId, limit: Limit = 50, cursor: Cursor = None
    ) -> Envelope[list[Device]]:
        after = key_in(cursor, ROW_KEY) or 0
        found = await users.devices(user_id, after=after, limit=limit + 1)
        return page(found, limit, key=lambda device: device.id)

    @router.delete("", summary="Remove all of a user's devices")
    async def remove_devices(user_id: UserId) -> Envelope[RemovedDevices]:
        return _removed(await users.remove_devices(user_id))

    @router.delete("/{device_id}", summary="Remove a device")
    async def remove_device(user_id: UserId, device_id: BigId) -> Envelope[RemovedDevices]:
        return _removed(await users.remove_devices(user_id, device_id))

    return router


def _removed(done: Changed[int]) -> Envelope[RemovedDevices]:
    removed = RemovedDevices(removed=done.value)
    return changed(Changed(removed, done.effective_at), "Devices removed")
