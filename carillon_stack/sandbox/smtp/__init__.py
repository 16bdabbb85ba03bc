"""An SMTP server that accepts everything it is handed, or refuses as told."""
