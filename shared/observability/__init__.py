"""What an operator sees: logs, metrics, and the correlation id that ties them together."""
