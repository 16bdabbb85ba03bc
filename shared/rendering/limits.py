"""How much one template may ask for.

Effort is counted in characters: a value costs what its text is long, a step costs `STEP`.
Generous for a message a person reads, and far below what hurts the process that fills it.
"""

SOURCE_BYTES = 64 * 1024
"""The longest text of one field, in UTF-8."""

SOURCE_NODES = 5_000
"""The most syntax nodes in one field."""

SOURCE_DEPTH = 60
"""The deepest nesting of syntax nodes in one field."""

OUTPUT = 512 * 1024
"""The longest filled field, and the heaviest single value on the way, in characters."""

EFFORT = 4_000_000
"""All effort of one render, over all its fields."""

CPU_SECONDS = 0.4
"""The thread's processor time for one render, whatever the count says."""

CLOCK_EVERY = 20_000
"""The effort between two looks at the clock."""

STEP = 16
"""The effort of one operation: an iteration, a call, a filter."""

WIDTH = 1_000
"""The largest width, precision, count or depth that asks for padding."""

NEEDLE = 1_000
"""The longest text searched for or stripped in another."""

SLOW_TEXT = 16 * 1024
"""The longest text for filters whose time grows with its square."""

NUMBER_BITS = 4_096
"""The largest whole number."""
