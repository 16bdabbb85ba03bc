"""Push providers, one file for each."""
