"""Load: as fast as it goes with wrk, at a fixed rate, and what takes the mail."""
