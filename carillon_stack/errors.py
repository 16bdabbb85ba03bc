"""What the local stack cannot do, said so that a person can act on it."""


class StackError(Exception):
    """A failure whose message says what to do; shown without a trace."""
