"""Batches: many notifications in one call, and what is done with them as one."""
