"""What the SMTP provider stands on: its account, connections, and what replies mean."""
