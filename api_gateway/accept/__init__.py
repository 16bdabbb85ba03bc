"""Accepting: every door ends in one function."""
