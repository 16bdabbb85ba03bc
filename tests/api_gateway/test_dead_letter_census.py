"""Open dead letters as the metrics show them."""

from prometheus_client import REGISTRY

from api_gateway.dead_letters.census import Census
from tests.api_gateway.ledgers import add_dead_letter, migrated
from tests.shared.broker import until


async def test_open_letters_are_counted_in_the_metrics(postgres_url):
    async with migrated(postgres_url) as database:
        census = Census(database)
        for number in range(3):
            await add_dead_letter(database, user_id=number + 1)
        async with database.driver() as connection:
            await connection.execute(
                "UPDATE dead_letters SET state = 'discarded' WHERE user_id = 1"
            )
        await census.open()
        await until(lambda: _counted("retries_exhausted") == 2)
        assert _counted("render_error") == 0
        await census.close()


def _counted(reason):
    return REGISTRY.get_sample_value("carillon_dead_letters_open", {"reason": reason})
