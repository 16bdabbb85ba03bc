"""`python -m carillon_stack.sandbox`: the sandbox providers, until told to stop."""

from __future__ import annotations

import logging
import sys

import uvloop
from pydantic import ValidationError

from carillon_stack.sandbox.app import create_app, emulators
from carillon_stack.sandbox.faults import FaultTable
from carillon_stack.sandbox.http_server import serve
from carillon_stack.sandbox.journal import JournalError
from carillon_stack.sandbox.reception import Reception
from carillon_stack.sandbox.settings import SandboxSettings
from carillon_stack.sandbox.store import MessageStore


def main() -> None:
    """Wire the sandbox up and serve it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        settings = SandboxSettings()
        store, faults = MessageStore(settings.data), FaultTable()
        store.open()
    except (ValidationError, JournalError) as error:
        sys.exit(str(error))
    app = create_app(store, faults, emulators(settings, Reception(store, faults)))
    uvloop.run(serve(app, settings.host, settings.port, settings.listen_fd))


if __name__ == "__main__":
    main()
