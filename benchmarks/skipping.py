"""A bench that this version of the suite gives no ground for."""


class BenchSkipped(Exception):
    """Says why a bench is not run; the others go on."""
