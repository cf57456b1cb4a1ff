"""What the tests of bad input share."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def refused(first: str, *others: str) -> Iterator[None]:
    """Exactly one ValueError, whose message holds every one of these texts: the parameter, the value, the fix."""
    with pytest.raises(ValueError, match=re.escape(first)) as caught:
        yield
    error = caught.value
    assert error.__suppress_context__ or error.__context__ is None, "one error, not one during another"
    for text in others:
        assert text in str(error)
