"""What the simulated market is made of."""
