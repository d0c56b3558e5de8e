"""What files remember of the market, and how each kind of them is read."""
