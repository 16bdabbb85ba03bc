"""What stands between us and a far side that fails: breaker, retry schedule, waiting."""
