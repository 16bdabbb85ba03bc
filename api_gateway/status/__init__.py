"""Where notifications stand, and how they got there."""
