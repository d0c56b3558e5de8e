"""How fast, how late, how large: `make bench`. The method is in README.md."""
