"""Fixtures for tests that need real processes. tests/conftest.py offers them everywhere."""

from collections.abc import Iterator

import pytest

from tests.rig.installation import Installation


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    """One for all tests of a worker; each makes a tenant of its own, and leaves every server running."""
    with Installation() as made:
        yield made
