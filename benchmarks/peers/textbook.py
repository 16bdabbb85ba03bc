"""(b) The textbook design: a limit in Redis, then a persistent message, confirmed, per request."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import aio_pika
import redis.asyncio
from aio_pika import DeliveryMode, Message
from fastapi import FastAPI, HTTPException, Request

from benchmarks.peers.names import TEXTBOOK_QUEUE as QUEUE
from benchmarks.peers.serving import Taken, serve
from shared.schemas.notifications import SendRequest

LIMIT, WINDOW_SECONDS = 100, 60


@asynccontextmanager
async def engines(app: FastAPI) -> AsyncIterator[None]:
    app.state.cache = redis.asyncio.from_url(os.environ["REDIS_URL"])
    connection = await aio_pika.connect_robust(os.environ["RABBITMQ_URL"])
    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
    await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
    app.state.exchange = channel.default_exchange
    yield
    await connection.close()
    await app.state.cache.aclose()


app = FastAPI(lifespan=engines)


@app.post("/notifications/send", status_code=202)
async def send(body: SendRequest, request: Request) -> Taken:
    limit = f"limit:{body.user_id}"
    async with request.app.state.cache.pipeline(transaction=False) as pipeline:
        pipeline.incr(limit)
        pipeline.expire(limit, WINDOW_SECONDS, nx=True)
        used, _ = await pipeline.execute()
    if used > LIMIT:
        raise HTTPException(429)
    request_id = uuid4().hex
    message = Message(
        body.model_dump_json().encode(),
        message_id=request_id,
        content_type="application/json",
        delivery_mode=DeliveryMode.PERSISTENT,
    )
    await request.app.state.exchange.publish(message, QUEUE)
    return Taken(request_id=request_id)


if __name__ == "__main__":
    serve(app)
