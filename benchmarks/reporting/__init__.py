"""A run, told: tables for a screen and a document, plots."""
