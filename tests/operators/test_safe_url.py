import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.operators.safe_url import SHOWN, safe_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h/a", "https://h/a"),
        ("https://me:pw@h:1/a?b#c", "https://h:1/a"),
        ("https://me:p@w@h/a", "https://h/a"),
        ("s3://bucket/key?versionId=1", "s3://bucket/key"),
        ("file:///a%20b", "file:///a%20b"),
        ("no url", "no url"),
        ("me:pw@h/a?b", "h/a"),
        ("data:,pw?x", "data:,pw"),
        ("", "(empty)"),
        ("https://h/a\r\nX: y", "https://h/a\ufffd\ufffdX: y"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url, shown):
    assert safe_url(url) == shown


@given(st.sampled_from(["https", "s3", "x"]), st.from_regex(r"[^/?#\\\\@]{0,20}", fullmatch=True), st.text(max_size=20))
def test_user_info_and_query_are_never_shown(scheme, user, query):
    shown = safe_url(f"{scheme}://{user}SECRET@host/path?{query}SECRET")
    assert shown.startswith(f"{scheme}://host/path")
    assert "SECRET" not in shown


@given(st.text(max_size=1000))
def test_anything_can_be_shown_on_one_line(text):
    shown = safe_url(text)
    assert len(shown) <= SHOWN + 1
    assert shown.isprintable()
