"""Email providers, one file for each."""
