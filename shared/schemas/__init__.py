"""Wire contracts: what services say to each other and to clients."""
