"""What a function raised, as text: whatever it raised, the text is short, can be written down, and is the user's."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from brim.errors import UdfContractError, UdfError, UdfMemoryExceeded
from brim.operators.user_functions import contract
from brim.operators.user_functions.raised import REASON_CHARS, TRACE_CHARS, clean, raised, told


class Broken(Exception):
    def __str__(self):
        raise RuntimeError("not even this")


class Nothing(Exception):
    """Its text is no text."""

    def __str__(self):
        return None  # noqa: PLE0307


def caught(error):
    with pytest.raises(type(error)) as info:
        raise error
    return info.value


@example("x" * 3 * REASON_CHARS)
@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_is_short_and_can_be_written_down(text):
    error = raised("f", caught(ValueError(text)))
    assert type(error) in (UdfError, UdfMemoryExceeded)
    assert error.reason.startswith("ValueError: ")
    for each in (error.reason, error.traceback):
        json.dumps(each).encode()
        assert pa.array([each], pa.string())[0].as_py() == each
    if text.isascii():
        assert error.reason == f"ValueError: {text}"[:REASON_CHARS]


@given(st.text(st.characters(exclude_categories=[])))
def test_text_that_is_clean_stays_as_it_is(text):
    assert clean(clean(text)) == clean(text)
    assert clean(text) == text or any(0xD800 <= ord(letter) < 0xE000 for letter in text)


def test_of_a_long_traceback_the_end_is_kept():
    error = raised("f", caught(ValueError("x" * 3 * TRACE_CHARS + "the end")))
    assert len(error.traceback) == TRACE_CHARS + 3
    assert error.traceback.startswith("...x")
    assert error.traceback.rstrip().endswith("the end")


@pytest.mark.parametrize(("kind", "why"), [(Broken, "RuntimeError"), (Nothing, "TypeError")])
def test_an_exception_that_cannot_say_what_it_is_costs_no_more_than_any_other(kind, why):
    error = raised("f", caught(kind()))
    assert error.reason == f"{kind.__name__}: (its text cannot be shown: {why})"
    assert kind.__name__ in error.traceback


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("std::bad_alloc"),
        OSError(12, "Cannot allocate memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_a_want_of_memory_is_known_by_its_words(error):
    assert type(raised("f", error)) is UdfMemoryExceeded
    assert told(raised("f", error)).startswith(f"UdfMemoryExceeded: {type(error).__name__}: ")


@pytest.mark.parametrize("error", [ValueError("memory"), KeyError("memories"), BaseException("gone")])
def test_other_errors_are_the_functions_own(error):
    made = raised("f", error)
    assert type(made) is UdfError
    assert told(made) == made.reason


def test_an_error_of_ours_passes_as_it_is():
    error = UdfContractError("f", "returned nothing")
    assert raised("g", error) is error
    assert told(error) == "UdfContractError: returned nothing"


def test_the_traceback_begins_with_the_users_frames():
    """What called the function is ours and tells nobody anything; what the function called stays."""

    def mine(text):
        return int(text)

    values = {"function": mine, "__name__": "brim.operators.somewhere"}
    exec("def call():\n    return function('no number')", values)
    with pytest.raises(ValueError, match="no number") as info:
        values["call"]()
    info.value.__traceback__ = info.value.__traceback__.tb_next  # pytest's own
    lines = raised("f", info.value).traceback.splitlines()
    assert lines[0].startswith("Traceback")
    assert "in mine" in lines[1]
    assert "in call" not in "".join(lines)


def test_a_mistake_in_the_result_is_told_of_though_all_its_frames_are_ours():
    with pytest.raises(Exception) as info:
        contract.array_of_values([object()], pa.int64())
    info.value.__traceback__ = info.value.__traceback__.tb_next
    error = raised("f", info.value)
    assert "object" in error.traceback
