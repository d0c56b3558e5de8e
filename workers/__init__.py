"""One module per process: each a thin loop around the rules of the domain."""
