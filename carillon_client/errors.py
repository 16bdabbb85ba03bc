"""The one exception of the client: what the gateway refused, or why it could not be asked."""

from collections.abc import Sequence

import httpx
from pydantic import ValidationError

from shared.schemas.envelope import Failure, FieldError

UNREACHABLE = "unreachable"
ANSWER_LOST = "answer_lost"
UNREADABLE_ANSWER = "unreadable_answer"
UNWRITABLE_REQUEST = "unwritable_request"


class CarillonError(Exception):
    """A call that brought nothing.

    `code` is the gateway's own, or one of ours, with `status` None where nothing was answered:
    `unreachable` (no connection), `answer_lost` (done or not, nobody can tell),
    `unreadable_answer` (somebody else answers at this address), `unwritable_request`.
    `retry_after` in seconds, when the gateway gave it.
    """

    def __init__(
        self,
        code: str,
        status: int | None,
        message: str,
        fields: Sequence[FieldError] = (),
        *,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message
        self.fields = tuple(fields)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return "; ".join([self.message, *(f"{f.path}: {f.problem}" for f in self.fields)])


def refusal(response: httpx.Response) -> CarillonError:
    """What an answer other than success tells."""
    try:
        failure = Failure.model_validate_json(response.content)
    except ValidationError:
        return unreadable(response)
    return CarillonError(
        failure.error.code,
        response.status_code,
        failure.message,
        failure.error.fields,
        retry_after=_seconds(response.headers.get("Retry-After")),
    )


def unreadable(response: httpx.Response) -> CarillonError:
    """What to say of an answer that does not come from a gateway of our age."""
    url = response.request.url
    message = (
        f"{url.copy_with(query=None)} answered {response.status_code} with something that is not "
        "an answer of Carillon's. Is this its gateway's address?"
    )
    return CarillonError(UNREADABLE_ANSWER, response.status_code, message)


def silence(error: httpx.TransportError, request: httpx.Request) -> CarillonError:
    """What to say when no answer came."""
    address = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"
    detail = str(error) or type(error).__name__
    if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
        return CarillonError(UNWRITABLE_REQUEST, None, f"This cannot be sent: {detail}")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return CarillonError(UNREACHABLE, None, f"Nothing answers at {address}: {detail}")
    message = f"{address} took the request and did not answer: {detail}."
    if key := request.headers.get("Idempotency-Key"):
        message += f" Repeated with the idempotency key {key} it cannot happen twice."
    return CarillonError(ANSWER_LOST, None, message)


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.isdecimal() else None
