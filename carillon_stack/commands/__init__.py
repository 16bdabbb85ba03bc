"""The commands of ``./carillon``, one file for each thing a person wants."""
