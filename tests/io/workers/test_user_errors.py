"""Errors that arrive as text are what they were in the worker."""

import pytest

from brim.errors import UdfContractError, UdfError, UdfMemoryExceeded, UdfTimeout
from brim.io.workers.messages import Raised, decode, encode
from brim.io.workers.user_errors import error_of
from brim.sizes import MIB


@pytest.mark.parametrize("kind", [UdfError, UdfContractError, UdfTimeout, UdfMemoryExceeded])
def test_an_error_keeps_its_kind_its_reason_and_its_traceback(kind):
    error = error_of("f", decode(encode(Raised(3, kind.__name__, "ValueError: ä\n", "the trace"))))
    assert type(error) is kind
    assert (error.function, error.reason, error.traceback, error.final) == ("f", "ValueError: ä\n", "the trace", False)


@pytest.mark.parametrize("kind", ["Nonsense", "", "SystemExit", "__import__"])
def test_a_kind_that_is_none_of_ours_is_an_error_of_the_function(kind):
    error = error_of("f", Raised(3, kind, "why", ""))
    assert type(error) is UdfError
    assert str(error) == "f: why"


def test_a_want_of_memory_tells_the_peak_where_it_is_known():
    known, unknown = (error_of("f", Raised(1, "UdfMemoryExceeded", "no", "", peak)) for peak in (60 * MIB, 0))
    assert (known.peak_bytes, known.reason) == (60 * MIB, "no; its worker held 60.0 MiB at most")
    assert (unknown.peak_bytes, unknown.reason) == (0, "no")
