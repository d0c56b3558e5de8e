"""How long to wait before starting again what has died."""


class Backoff:
    """Hardly at first, longer each time it dies again, and hardly again once it has lived well."""

    SHORTEST, LONGEST, WELL_AFTER = 0.2, 5.0, 10.0

    def __init__(self) -> None:
        self._next = self.SHORTEST

    def after(self, lived: float) -> float:
        """Seconds to wait, given how long it lived."""
        if lived >= self.WELL_AFTER:
            self._next = self.SHORTEST
        delay, self._next = self._next, min(self._next * 2, self.LONGEST)
        return delay
