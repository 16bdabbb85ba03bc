"""What the suite takes and gives, measured beside its peers in the same run."""
