"""A house of its own, as the tests of the API have it."""

from tests.api.conftest import house

__all__ = ["house"]
