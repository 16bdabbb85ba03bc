"""Looks after notifications that stand still, and sends what was lost on its way once more."""
