"""The forms of what is said over HTTP: plain structs, also for who calls us."""
