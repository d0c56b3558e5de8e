"""The HTTP face: commands in, answers out; the rules are elsewhere."""
