import pytest
from yarl import URL

from brim.errors import TransferFailed
from brim.io.transfers.http_url import URL_MOST, host_of, portable, redirected, target_of

DEFAULTS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "brim"}


def test_user_info_and_fragment_stay_here():
    url, headers = target_of("https://me:pw@h/a?b=c#d", "shown", (("X", "1"),))
    assert str(url) == "https://h/a?b=c"
    assert headers == {**DEFAULTS, "X": "1", "Authorization": "Basic bWU6cHc="}


def test_a_login_that_was_given_is_kept():
    _, headers = target_of("https://me:pw@h/a", "shown", (("authorization", "Bearer x"),))
    assert headers == {**DEFAULTS, "authorization": "Bearer x"}


def test_headers_that_are_ours_are_not_taken_from_users():
    _, headers = target_of("https://h/a", "shown", (("Range", "bytes=0-1"), ("Host", "x"), ("Accept-Encoding", "gzip")))
    assert headers == DEFAULTS


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a",
        "/a",
        "http:///a",
        "ftp://h/a",
        "http://h:x/",
        "http://h:70000/",
        "http://[/",
        "http://h/" + "a" * URL_MOST,
    ],
)
def test_what_is_no_http_url_is_a_failure(url):
    with pytest.raises(TransferFailed, match="shown"):
        target_of(url, "shown", ())


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/b", "https://h/b"),
        ("b?x=1", "https://h/a/b?x=1"),
        ("//other/b", "https://other/b"),
        ("http://me:pw@other:8080/b", "http://other:8080/b"),
        ("?x=1", "https://h/a/a?x=1"),
    ],
)
def test_redirects_are_joined_to_where_they_come_from(location, target):
    assert str(redirected(URL("https://h/a/a"), location)) == target


@pytest.mark.parametrize("location", [None, "", "file:///a", "javascript:x", "http://[", "data:,x"])
def test_redirects_to_elsewhere_are_refused(location):
    with pytest.raises(ValueError):
        redirected(URL("https://h/a"), location)


def test_only_harmless_headers_travel():
    given = {"Accept": "image/*", "USER-AGENT": "me", "X-Api-Key": "hush", "Authorization": "hush", "Cookie": "hush"}
    assert portable(given) == {"Accept": "image/*", "USER-AGENT": "me"}


def test_hosts_are_told_apart_by_port():
    assert host_of(URL("https://H/a")) == "h:443"
    assert host_of(URL("http://h:81/a")) == "h:81"
