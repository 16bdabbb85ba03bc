"""Queues tasks for the Celery worker: `python -m benchmarks.peers.celery_fill COUNT`."""

import sys

from benchmarks import letters
from benchmarks.peers import celery_app


def main(count: int) -> None:
    with celery_app.app.connection_for_write() as connection:
        for number in range(count):
            celery_app.deliver.apply_async(
                (letters.address(number), letters.VARIABLES), connection=connection
            )


if __name__ == "__main__":
    main(int(sys.argv[1]))
