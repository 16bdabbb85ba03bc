"""Which calls are made again, how often, and after how long."""

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_base, wait_random_exponential

from carillon_client.errors import ANSWER_LOST, UNREACHABLE, CarillonError

LONGEST_PAUSE_SECONDS = 30.0


class Pause(wait_base):
    """Full jitter that doubles, and never less than the gateway asked for."""

    _jitter = wait_random_exponential(multiplier=0.2, max=5)

    def __call__(self, retry_state: RetryCallState) -> float:
        failure = retry_state.outcome.exception() if retry_state.outcome else None
        asked = failure.retry_after if isinstance(failure, CarillonError) else None
        return min(max(self._jitter(retry_state), asked or 0), LONGEST_PAUSE_SECONDS)


def repeating(attempts: int, *, harmless: bool) -> Retrying:
    """A policy: calls up to `attempts` times while the gateway cannot be reached.

    Where a repeat is `harmless` (a read, or a call under an idempotency key), also after a lost
    answer and a 503.
    """

    def worth_another(error: BaseException) -> bool:
        if not isinstance(error, CarillonError):
            return False
        if error.code == UNREACHABLE:
            return True
        return harmless and (error.code == ANSWER_LOST or error.status == 503)

    return Retrying(
        stop=stop_after_attempt(attempts),
        wait=Pause(),
        retry=retry_if_exception(worth_another),
        reraise=True,
    )
