"""What only the suite's own services ask."""

from fastapi import APIRouter, Response

from shared.schemas.envelope import Envelope
from shared.schemas.profile import DeadDevice, DeadDeviceAnswer, ProfileAnswer, ProfileQuestion
from shared.service.access import neighbours_only
from user_service.service import Users


def routes(users: Users) -> APIRouter:
    """The routes; left out of the API documentation."""
    router = APIRouter(prefix="/internal", dependencies=[neighbours_only], include_in_schema=False)

    @router.post("/profiles")
    async def read_profiles(question: ProfileQuestion) -> Response:
        found = await users.profiles(question.user_ids)
        answer = Envelope[ProfileAnswer](data=ProfileAnswer(profiles=found))
        # Written at once, not validated once more on its way out: workers wait for this one.
        return Response(answer.model_dump_json(), media_type="application/json")

    @router.post("/dead-devices")
    async def switch_off_device(dead: DeadDevice) -> Envelope[DeadDeviceAnswer]:
        return Envelope(data=DeadDeviceAnswer(switched_off=await users.switch_off(dead)))

    return router
