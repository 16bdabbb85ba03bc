"""What the FCM provider stands on: its account, access tokens, and what answers mean."""
