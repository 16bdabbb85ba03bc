"""What the Twilio provider stands on: what answers mean."""
