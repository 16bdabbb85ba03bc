"""How much is measured: a run whose figures mean something, or a smoke of seconds."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Size:
    """Durations in seconds, `rates` in notifications a second."""

    rounds: int = 5
    seconds: float = 5
    connections: tuple[int, ...] = (1, 64, 256)
    people: int = 20_000
    emails: int = 20_000
    warm_people: int = 2_000
    celery_emails: int = 5_000
    one_by_one_emails: int = 2_000
    batches: int = 40
    rates: tuple[int, ...] = (50, 200)
    first_rate: int = 200
    probes: int = 14
    probe_seconds: float = 10
    held_seconds: float = 60
    held_steps: int = 4
    rows: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    processes: tuple[int, ...] = (1, 2)
    idle_seconds: float = 30
    rest_seconds: float = 5

    def altered(self, rounds: int | None, seconds: float | None) -> "Size":
        """The same with what the caller wishes."""
        return replace(self, rounds=rounds or self.rounds, seconds=seconds or self.seconds)


QUICK = Size(
    rounds=1,
    seconds=1,
    connections=(16,),
    people=100,
    emails=100,
    warm_people=50,
    celery_emails=50,
    one_by_one_emails=20,
    batches=2,
    rates=(50,),
    first_rate=50,
    probes=1,
    probe_seconds=1,
    held_seconds=1,
    held_steps=0,
    rows=(100, 1_000),
    processes=(2,),
    idle_seconds=1,
    rest_seconds=0,
)
