"""One step of a job on many dead letters: all of it or nothing, and each letter for itself."""

from contextlib import asynccontextmanager
from itertools import count

from api_gateway.dead_letters.jobs import DeadLetterJobs
from shared.errors import DatabaseUnavailable
from shared.schemas.dead_letters import DeadLetterFilter, Hindrance, JobAction, JobState
from tests.api_gateway.ledgers import add_dead_letter, migrated, redrives


class Dying:
    """A database whose connection is cut at the n-th thing that is said on it."""

    def __init__(self, database, after):
        self._database, self._left = database, after

    @asynccontextmanager
    async def driver(self):
        async with self._database.driver() as connection:
            self._connection = connection
            yield self

    def transaction(self):
        return self._connection.transaction()

    def __getattr__(self, name):
        self._left -= 1
        if self._left == 0:
            self._connection.terminate()
        return getattr(self._connection, name)


async def test_invariant_a_batch_that_breaks_off_leaves_nothing(postgres_url):
    """Invariant: wherever a batch is broken off, its letters and its progress are as before."""
    async with migrated(postgres_url) as database:
        for number in range(4):
            await add_dead_letter(database, user_id=number + 1)
        job = await DeadLetterJobs(database).add(JobAction.REDRIVE, DeadLetterFilter(), 1000)
        for cut_at in count(1):
            try:
                await DeadLetterJobs(Dying(database, cut_at)).advance()
                break
            except DatabaseUnavailable:
                now = await DeadLetterJobs(database).get(job.id)
                assert now == job
                async with database.driver() as connection:
                    assert await connection.fetchval("SELECT count(*) FROM outbox") == 0
                    assert await redrives(connection) == []
        assert cut_at > 8, "so many things are said for a batch"
        now = await DeadLetterJobs(database).get(job.id)
        assert (now.done, now.skipped, now.remaining) == (4, 0, 0)
        async with database.driver() as connection:
            assert await redrives(connection) == [1] * 4


async def test_what_cannot_be_stored_or_sent_as_it_is_kept_is_skipped_alone(postgres_url):
    async with migrated(postgres_url) as database:
        await add_dead_letter(database, user_id=1)
        await add_dead_letter(database, user_id=2, generation=2**31 - 1)
        await add_dead_letter(database, user_id=3)
        await add_dead_letter(database, user_id=4, variables={"code": None}, sensitive=("code",))
        jobs = DeadLetterJobs(database)
        await jobs.add(JobAction.REDRIVE, DeadLetterFilter(), 1000)
        sent = await jobs.advance()
        assert sent is not None
        assert sorted(message.user_id for message in sent) == [1, 3]
        [job] = await jobs.list(before=None, limit=1)
        assert job.skipped_why == {Hindrance.NOT_STORABLE: 1, Hindrance.VARIABLES_NEEDED: 1}
        assert (job.done, job.state) == (2, JobState.FINISHED)
