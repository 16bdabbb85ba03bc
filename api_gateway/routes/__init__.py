"""HTTP addresses; each file is a noun."""
