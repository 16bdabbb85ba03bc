"""Rebuilds the queues from PostgreSQL, when RabbitMQ or PostgreSQL has lost something."""
