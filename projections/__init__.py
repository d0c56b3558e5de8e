"""Read models: every answer is rebuilt from the facts, none is written by hand."""
