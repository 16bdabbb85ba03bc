"""Firebase Cloud Messaging, HTTP v1, and the OAuth2 token endpoint in front of it."""
