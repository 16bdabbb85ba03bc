"""Every query of the service, by noun. Each takes the connection, and so the transaction."""
