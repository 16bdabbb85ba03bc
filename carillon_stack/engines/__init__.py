"""PostgreSQL, RabbitMQ and Redis: given by URL, or private instances of this machine's binaries."""
