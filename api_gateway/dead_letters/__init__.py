"""What failed, kept where an operator sees it."""
