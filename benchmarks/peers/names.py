"""The queues of the peers."""

TEXTBOOK_QUEUE = "bench.textbook"
CELERY_QUEUE = "bench.celery"
ONE_BY_ONE_QUEUE = "bench.one-by-one"
