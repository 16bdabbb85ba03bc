"""A stack of stand-in services on the engines of the test run."""

import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from carillon_stack.home import Home
from carillon_stack.plan import Wishes
from carillon_stack.programs import Stage
from carillon_stack.services import Service
from carillon_stack.stack import Stack

STANDIN = "tests.carillon_stack.standin"
ENGINES = ("POSTGRES_URL", "RABBITMQ_URL", "REDIS_URL", "PATH")


def standins(mark: str) -> tuple[Service, ...]:
    """The services of a small stack; each test stack has databases of its own."""
    return (
        Service("api_gateway", 8000, Stage.DOOR, f"gateway_{mark}", STANDIN),
        Service("user_service", 8003, Stage.DIRECTORIES, f"users_{mark}", STANDIN),
        Service("email_service", 8001, Stage.WORKERS, None, STANDIN),
    )


def make_stack(folder: Path, lines: list[str]) -> Stack:
    """A stack in this folder that says what it does into ``lines``."""
    caller = {name: os.environ[name] for name in ENGINES} | {"FLAVOUR": "vanilla"}
    services = standins(uuid4().hex)
    return Stack(Home(folder), services=services, caller=caller, say=lines.append)


@pytest.fixture(scope="module")
def said() -> list[str]:
    """What the stack said."""
    return []


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, said: list[str]) -> Iterator[Stack]:
    """A running stack with two gateway processes."""
    stack = make_stack(tmp_path_factory.mktemp("home"), said)
    try:
        stack.up(Wishes(scale={"api_gateway": 2}))
        yield stack
    finally:
        stack.down()


def ask(url: str) -> dict[str, object]:
    """What a stand-in answers on a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request("GET", "/readyz")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
