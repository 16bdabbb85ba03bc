"""The local stack: engines, supervised services and sandbox providers on one machine."""
