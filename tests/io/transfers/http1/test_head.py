import pytest

from brim.io.transfers.http1.failures import AttemptFailed
from brim.io.transfers.http1.head import Framing, HeadReader, request_bytes


def head_of(text: str):
    reader = HeadReader(lambda data: None)
    reader.read(text.encode("latin-1"))
    return reader.head()


@pytest.mark.parametrize(
    ("head", "framing", "length", "keep_alive"),
    [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Framing.LENGTH, 5, True),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Framing.LENGTH, 0, True),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", Framing.LENGTH, 5, False),
        ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", Framing.LENGTH, 5, False),
        ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", Framing.LENGTH, 5, True),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Framing.CHUNKS, None, True),
        ("HTTP/1.1 200 OK\r\n\r\n", Framing.CLOSE, None, False),
        ("HTTP/1.1 204 No Content\r\n\r\n", Framing.LENGTH, 0, True),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", Framing.LENGTH, 0, True),
    ],
)
def test_how_a_body_ends_is_told_by_the_head(head, framing, length, keep_alive):
    found = head_of(head)
    assert (found.framing, found.length, found.keep_alive) == (framing, length, keep_alive)


@pytest.mark.parametrize(
    "head",
    [
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad header: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
    ],
)
def test_what_could_be_read_in_two_ways_is_no_http(head):
    with pytest.raises(AttemptFailed, match="not valid HTTP"):
        head_of(head)


def test_of_several_headers_of_a_name_the_first_counts_and_case_does_not():
    found = head_of('HTTP/1.1 200 OK\r\nETag: "1"\r\netag: "2"\r\nX-\xe4: \xfc\r\n\r\n'.replace("X-\xe4", "X-A"))
    assert found.headers["etag"] == '"1"'
    assert found.headers["x-a"] == "\xfc"


def test_a_request_is_one_line_a_header():
    data = request_bytes("/a?b", "h:1", {"X-A": "1", "Y": "\xfc"})
    assert data == b"GET /a?b HTTP/1.1\r\nHost: h:1\r\nX-A: 1\r\nY: \xfc\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [{"X": "1\r\nY: 2"}, {"X\r\nY": "2"}, {"X": "a\0b"}, {"X Y": "1"}, {"": "1"}, {"X:": "1"}, {"X": "\u20ac"}],
)
def test_a_header_that_would_break_out_of_its_line_is_refused(headers):
    with pytest.raises(AttemptFailed, match="no URL that can be requested"):
        request_bytes("/", "h", headers)
