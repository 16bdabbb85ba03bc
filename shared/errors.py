"""Every expected failure, in one tree.

CarillonError
├── ApiError                 answered to a client in the envelope
│   ├── MalformedRequest     400  the body is no JSON
│   ├── Unauthenticated      401  no key, a wrong one, a revoked one
│   ├── Forbidden            403  the key lacks the scope
│   ├── NotFound             404
│   ├── MethodNotAllowed     405
│   ├── Conflict             409
│   ├── TooLarge             413
│   ├── Unprocessable        422  names each field and its problem
│   ├── RateLimited          429  carries Retry-After
│   └── Unavailable          503  carries Retry-After
│       ├── Overloaded             too much is asked for at this moment
│       ├── DatabaseUnavailable
│       └── NeighbourUnavailable   another service did not answer
├── EngineUnavailable        met inside a service, never shown to a client as such
│   ├── BrokerUnavailable    RabbitMQ cannot be reached, or did not confirm
│   │   └── NotTaken               it is there, and its queue is full or missing
│   └── CacheUnavailable     Redis cannot be reached
├── BreakerOpen              not tried: the last calls failed
└── ProviderError            what a provider said, or did not say
    ├── RecipientRejected    permanent: this recipient
    ├── ContentRejected      permanent: this content
    ├── TokenInvalid         permanent: this device
    ├── ProviderThrottled    transient: slower for this recipient
    ├── ProviderDeclined     transient: not now for this message
    ├── ProviderUnavailable  not reached: says nothing about the message
    ├── ProviderMisconfigured  not usable until an operator acts: pauses it
    └── OutcomeUnknown       handed over, no answer: sent or not, nobody can tell
"""

from dataclasses import dataclass
from typing import ClassVar


class CarillonError(Exception):
    """The root of every failure that the code expects."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field of a request and what is wrong with it; `path` is dotted from the body's root."""

    path: str
    problem: str


class ApiError(CarillonError):
    """A failure that a client is told, in the envelope, under its true HTTP status."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = code or self.code
        self.fields: tuple[FieldProblem, ...] = ()
        self.headers: dict[str, str] = {}


class MalformedRequest(ApiError):
    """The body cannot be read at all."""

    status, code = 400, "malformed_request"


class Unauthenticated(ApiError):
    """No usable API key came with the request."""

    status, code = 401, "unauthenticated"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.headers = {"WWW-Authenticate": "Bearer"}


class Forbidden(ApiError):
    """The API key is good, but lacks the scope."""

    status, code = 403, "forbidden"


class NotFound(ApiError):
    """There is nothing under that id."""

    status, code = 404, "not_found"


class MethodNotAllowed(ApiError):
    """The address exists, the method does not."""

    status, code = 405, "method_not_allowed"


class Conflict(ApiError):
    """The request is good, but what stands already forbids it."""

    status, code = 409, "conflict"


class TooLarge(ApiError):
    """The body is larger than the limit."""

    status, code = 413, "body_too_large"


class Unprocessable(ApiError):
    """The body was read, and some of its fields are wrong."""

    status, code = 422, "validation_failed"

    def __init__(
        self, message: str, fields: list[FieldProblem] | None = None, *, code: str | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.fields = tuple(fields or ())


class RateLimited(ApiError):
    """Too many requests; `retry_after` in whole seconds."""

    status, code = 429, "rate_limited"

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.headers = {"Retry-After": str(retry_after)}


class Unavailable(ApiError):
    """Something that the request needs cannot be reached; `retry_after` in whole seconds."""

    status, code = 503, "unavailable"

    def __init__(self, message: str, *, retry_after: int = 2) -> None:
        super().__init__(message)
        self.headers = {"Retry-After": str(retry_after)}


class Overloaded(Unavailable):
    """More is asked for at this moment than the process takes in hand."""

    code = "overloaded"

    def __init__(self) -> None:
        super().__init__("The service has too much to do at this moment. Try again.", retry_after=1)


class DatabaseUnavailable(Unavailable):
    """PostgreSQL cannot be reached, or did not answer in time."""

    code = "database_unavailable"


class NeighbourUnavailable(Unavailable):
    """Another service of the suite did not answer."""

    code = "service_unavailable"


class EngineUnavailable(CarillonError):
    """An engine other than PostgreSQL cannot be reached."""


class BrokerUnavailable(EngineUnavailable):
    """RabbitMQ cannot be reached, or did not confirm in time."""


class NotTaken(BrokerUnavailable):
    """RabbitMQ is there and did not take this message: its queue is full, or missing."""


class CacheUnavailable(EngineUnavailable):
    """Redis cannot be reached."""


class BreakerOpen(CarillonError):
    """Not tried, because the last calls failed; `retry_after` in seconds until the next probe."""

    def __init__(self, name: str, retry_after: float) -> None:
        super().__init__(f"{name} is paused after repeated failures")
        self.name = name
        self.retry_after = retry_after


class ProviderError(CarillonError):
    """What a provider said, or did not say, about one send; the pool adds which provider.

    `retry_after` in seconds: how long the provider asks us to wait, where it said so.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.provider: str | None = None


class RecipientRejected(ProviderError):
    """Permanent: the provider does not deliver to this recipient."""


class ContentRejected(ProviderError):
    """Permanent: the provider does not deliver this content."""


class TokenInvalid(ProviderError):
    """Permanent: the device's token is dead."""


class ProviderDeclined(ProviderError):
    """Transient: the provider said "not now" about this message; an attempt."""


class ProviderThrottled(ProviderDeclined):
    """Transient: the provider asks for a slower pace for this recipient; an attempt."""


class ProviderUnavailable(ProviderError):
    """Not reached, or serving nobody (the account's quota): it says nothing about the message."""


class ProviderMisconfigured(ProviderError):
    """The provider refuses us, not the message (login, credentials): it pauses."""


class OutcomeUnknown(ProviderError):
    """The message was handed over and no answer came: sent or not, nobody can tell."""
