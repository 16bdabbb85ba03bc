"""The sandbox put together: emulators, their reception and store, the API and the inbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware

from carillon_stack.sandbox.api import SandboxApi, explain_invalid
from carillon_stack.sandbox.emulator import Emulator
from carillon_stack.sandbox.faults import FaultTable
from carillon_stack.sandbox.fcm.emulator import FcmEmulator
from carillon_stack.sandbox.fcm.oauth import ServiceAccount
from carillon_stack.sandbox.http_server import ResetWhenDropped
from carillon_stack.sandbox.inbox import inbox_routes
from carillon_stack.sandbox.reception import Reception
from carillon_stack.sandbox.settings import SandboxSettings
from carillon_stack.sandbox.smtp.certificate import make_tls
from carillon_stack.sandbox.smtp.login import Login
from carillon_stack.sandbox.smtp.server import SmtpEmulator
from carillon_stack.sandbox.store import MessageStore
from carillon_stack.sandbox.twilio import TwilioEmulator


def emulators(settings: SandboxSettings, reception: Reception) -> list[Emulator]:
    """Every provider the sandbox plays; a new one is named here and nowhere else."""
    login = None
    if settings.smtp_user is not None:
        login = Login(settings.smtp_user, settings.smtp_password.get_secret_value())
    tls = make_tls(settings.data, settings.host)
    token = settings.twilio_token.get_secret_value()
    return [
        SmtpEmulator(reception, settings.host, settings.smtp_port, tls, login),
        FcmEmulator(reception, ServiceAccount.from_file(settings.fcm_credentials)),
        TwilioEmulator(reception, settings.twilio_sid, token),
    ]


def create_app(store: MessageStore, faults: FaultTable, providers: Sequence[Emulator]) -> Starlette:
    """The HTTP side; entering its lifespan opens the emulators' own ports."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            opened.push_async_callback(store.close)
            for provider in providers:
                await provider.open()
                opened.push_async_callback(provider.close)
            yield

    routes = [route for provider in providers for route in provider.routes()]
    return Starlette(
        routes=[*routes, *SandboxApi(store, faults).routes(), *inbox_routes(store)],
        exception_handlers={ValidationError: explain_invalid},
        middleware=[Middleware(ResetWhenDropped)],
        lifespan=lifespan,
        max_body_size=1_048_576,
    )
