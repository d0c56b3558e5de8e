"""A house of its own, as the story of the examples has it."""

from tests.api.test_examples import house

__all__ = ["house"]
