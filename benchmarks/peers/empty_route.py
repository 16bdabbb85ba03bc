"""(a) A route with the same pydantic body that does nothing: what FastAPI itself costs."""

from fastapi import FastAPI

from benchmarks.peers.serving import Taken, serve
from shared.schemas.notifications import SendRequest

app = FastAPI()


@app.post("/notifications/send", status_code=202)
async def send(body: SendRequest) -> Taken:  # noqa: ARG001 - validated, that is all
    return Taken(request_id="0")


if __name__ == "__main__":
    serve(app)
