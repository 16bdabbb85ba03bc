"""(c) FastAPI in front of Celery: the task is published, and confirmed, in a thread."""

from fastapi import FastAPI

from benchmarks import letters
from benchmarks.peers import celery_app
from benchmarks.peers.serving import Taken, serve
from shared.schemas.notifications import SendRequest

app = FastAPI()


@app.post("/notifications/send", status_code=202)
def send(body: SendRequest) -> Taken:
    task = celery_app.deliver.delay(letters.address(body.user_id), body.variables)
    return Taken(request_id=task.id)


if __name__ == "__main__":
    serve(app)
