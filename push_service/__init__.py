"""The push channel: notifications out to devices."""
