"""The email channel: notifications out by SMTP."""
