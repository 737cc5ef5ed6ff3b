"""What logs have of an exception: its kind and its place, whatever its words are."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from brim.operators.user_functions.raised import is_of_memory, raised, told
from brim.operators.user_functions.without_words import OWN, without_words

SECRET = "canary-7f31"


def _raised(text, cause=None):
    """What brim makes of an exception with `text`, raised here."""

    def inner():
        if cause is not None:
            raise KeyError(cause)
        raise ValueError(text)

    def outer():
        try:
            inner()
        except KeyError as error:
            raise ValueError(text) from error

    try:
        outer()
    except Exception as error:
        made = raised("f", error)
        return told(made), made.traceback
    raise AssertionError


words = st.text(max_size=60) | st.sampled_from([
    '\n  File "{0}", line 3, in {0}\n    {0}\n',
    'Traceback (most recent call last):\n  File "{0}", line 3, in {0}\n',
    "{0}: {0}",
    "",
    "\n",
])  # fmt: skip


@given(words, words | st.none())
@example("UNABLE TO ALLOCATE", None)
@example("no", "unable to allocate")
def test_the_words_are_never_there_and_the_kind_always(text, cause):
    text = text.replace("{0}", SECRET) + SECRET
    cause = None if cause is None else cause.replace("{0}", SECRET) + SECRET
    shown = without_words(*_raised(text, cause))
    assert SECRET not in shown
    assert shown.startswith("UdfMemoryExceeded" if is_of_memory(ValueError(text)) else "ValueError")
    assert "\n" not in shown


def test_the_place_is_that_of_the_first_exception():
    shown = without_words(*_raised("no"))
    assert shown.startswith("ValueError (test_without_words.py, line ")
    assert shown.endswith(", in inner)")
    assert without_words(*_raised("no", "first")).endswith(", in inner)")


def test_a_long_traceback_that_lost_its_head_names_no_place():
    error, trace = _raised("x" * 9_000)
    assert trace.startswith("...")
    assert without_words(error, trace) == "ValueError"


def test_what_brim_says_itself_is_kept():
    for kind in OWN:
        assert without_words(f"{kind}: took 3 s") == f"{kind}: took 3 s"
