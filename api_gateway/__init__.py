"""The one door for clients: keys, accept, limits, outbox, status and timeline, dead letters."""
