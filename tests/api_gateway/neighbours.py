"""Neighbours of the gateway as tiny real HTTP servers: they speak the contracts, and may stop."""

import threading
from collections.abc import Iterable
from typing import Any

import uvicorn
from fastapi import FastAPI, Request

from shared.schemas.content import FactsAnswer, FactsQuestion, TemplateFacts
from shared.schemas.envelope import Envelope

TEMPLATES = [
    TemplateFacts(
        template_id="welcome_email",
        version=3,
        channel="email",
        active=True,
        variables=frozenset({"name"}),
        header_variables=frozenset({"name", "title"}),
    ),
    TemplateFacts(
        template_id="bells",
        version=1,
        channel="email",
        active=True,
        variables=frozenset(),
        header_variables=frozenset(),
    ),
    *(
        TemplateFacts(
            template_id=f"bells_{number}",
            version=1,
            channel="email",
            active=True,
            variables=frozenset(),
            header_variables=frozenset(),
        )
        for number in range(10)
    ),
    TemplateFacts(
        template_id="retired",
        version=1,
        channel="email",
        active=False,
        variables=frozenset(),
        header_variables=frozenset(),
    ),
    TemplateFacts(
        template_id="code",
        version=2,
        channel="email",
        active=True,
        variables=frozenset({"code"}),
        header_variables=frozenset({"code"}),
        sensitive=frozenset({"code", "link"}),
    ),
    TemplateFacts(
        template_id="ping",
        version=1,
        channel="push",
        active=True,
        variables=frozenset(),
        header_variables=frozenset(),
    ),
]


def template_service(templates: Iterable[TemplateFacts] = TEMPLATES) -> FastAPI:
    """Knows these templates, and one path of its public interface."""
    app, known = FastAPI(), {facts.template_id: facts for facts in templates}

    @app.post("/internal/templates/facts", include_in_schema=False)
    async def facts(question: FactsQuestion) -> Envelope[FactsAnswer]:
        found = [known[name] for name in question.template_ids if name in known]
        return Envelope(data=FactsAnswer(templates=found))

    @app.get("/livez")
    async def live() -> None: ...

    @app.get("/templates")
    async def templates_of_this_service() -> list[str]:
        return sorted(known)

    return app


def user_service() -> FastAPI:
    """Tells what reached it."""
    app = FastAPI()

    @app.get("/livez")
    async def live() -> None: ...

    @app.put("/users/{rest:path}", operation_id="put_user")
    @app.get("/users/{rest:path}", operation_id="get_user")
    async def tell(rest: str, request: Request) -> dict[str, Any]:
        return {
            "method": request.method,
            "path": request.scope["raw_path"].decode(),
            "query": request.url.query,
            "headers": dict(request.headers),
            "body": (await request.body()).decode(),
        }

    return app


class Served:
    """An application behind a real server in a thread, on a port that it keeps."""

    def __init__(self, app: FastAPI) -> None:
        config = uvicorn.Config(
            app, port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=1
        )
        self._listener = config.bind_socket()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}
        )
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()
