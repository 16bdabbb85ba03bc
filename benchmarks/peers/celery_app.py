"""(c) Celery on RabbitMQ, set as durable as the rest: quorum queue, confirms, late acks.

The worker is a tuned one: it keeps its SMTP connection, and is told the address with the task.
"""

import os
import smtplib
from typing import Any

from celery import Celery

from benchmarks.peers.composing import compose
from benchmarks.peers.names import CELERY_QUEUE as QUEUE

app = Celery("bench", broker=os.environ["RABBITMQ_URL"])
app.conf.update(
    task_default_queue=QUEUE,
    task_default_queue_type="quorum",
    task_ignore_result=True,
    task_acks_late=True,
    broker_transport_options={"confirm_publish": True},
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)

_connection: smtplib.SMTP | None = None


@app.task
def deliver(recipient: str, variables: dict[str, Any]) -> None:
    """Sends one email."""
    _server().send_message(compose(recipient, variables))


def _server() -> smtplib.SMTP:
    global _connection  # noqa: PLW0603 - one for each process of the worker
    if _connection is None:
        _connection = smtplib.SMTP("127.0.0.1", int(os.environ["SINK_PORT"]))
    return _connection
