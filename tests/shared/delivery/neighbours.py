"""Stand-ins for the user service and the template service, over real HTTP."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException

from shared.schemas.content import ContentAnswer, ContentQuestion, TemplateContent
from shared.schemas.envelope import Envelope
from shared.schemas.profile import DeadDevice, Profile, ProfileAnswer, ProfileQuestion
from tests.shared.http.conftest import serving

BELLS = TemplateContent(
    template_id="bells",
    version=1,
    language="en",
    channel="email",
    active=True,
    fields={"subject": "Bells", "body_text": "Good evening, {{ name }}!"},
)


class Neighbours:
    """What they know, what they were asked, and whether they answer."""

    def __init__(self) -> None:
        self.profiles = {1: Profile(user_id=1, version=1, email="ada@example.com")}
        self.contents = {"bells": BELLS}
        self.dead_devices: list[DeadDevice] = []
        self.asked: Counter[str] = Counter()
        self.away = False
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Neighbours"]:
        async with serving(self._app()) as self.url:
            yield self

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/internal/profiles")
        async def profiles(question: ProfileQuestion) -> Envelope[ProfileAnswer]:
            self._note("profiles")
            found = [self.profiles[n] for n in question.user_ids if n in self.profiles]
            return Envelope(data=ProfileAnswer(profiles=found), message="")

        @app.post("/internal/dead-devices")
        async def dead_devices(device: DeadDevice) -> Envelope[dict[str, bool]]:
            self._note("dead-devices")
            self.dead_devices.append(device)
            return Envelope(data={"switched_off": True}, message="")

        @app.post("/internal/templates/contents")
        async def contents(question: ContentQuestion) -> Envelope[ContentAnswer]:
            self._note("contents")
            found = [self.contents.get(key.template_id) for key in question.keys]
            return Envelope(data=ContentAnswer(contents=found), message="")

        return app

    def _note(self, what: str) -> None:
        self.asked[what] += 1
        if self.away:
            raise HTTPException(503)
