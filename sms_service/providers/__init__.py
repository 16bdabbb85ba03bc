"""SMS providers, one file for each."""
