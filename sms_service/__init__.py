"""The SMS channel: notifications out as text messages."""
