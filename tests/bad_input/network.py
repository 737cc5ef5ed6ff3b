"""Network: URLs that lead nowhere, and servers that do not keep their part."""

from __future__ import annotations

import socket

import pyarrow as pa
from servers.faulty_http import Change, Cut, Status

import brim
from brim import col

from .table import Place, fails, keeps

BODY = bytes(range(256)) * 2000  # 512,000 bytes


def download(*urls: str | None, **options: object) -> brim.Pipeline:
    """The lengths of the bodies of `urls`."""
    options = {"retries": 1, **options}
    bodies = brim.from_pydict({"url": pa.array(urls, pa.string())}).select(body=col("url").url.download(**options))
    return bodies.select(size=col("body").bin.size())


def refusing() -> str:
    """A URL at a port at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/a.jpg"


# Addresses


@fails(
    "URLs",
    "a port at which nobody listens",
    brim.TransferFailed,
    r"http://127.*cannot be reached \(Connection refused\) after 2 attempts",
)
def refused_port(at: Place):
    return download(refusing())


@keeps("URLs", 'the same with `on_error="null"`', [3, None, 3], failed=1, says="Connection refused")
def refused_port_null(at: Place):
    good = at.serve("good", b"abc")
    return download(good, refusing(), good, on_error="null")


@fails(
    "URLs",
    "a name that does not resolve",
    brim.TransferFailed,
    r"http://nowhere\.invalid/a: its host has no address after 2 attempts",
)
def unresolvable(at: Place):
    return download("http://nowhere.invalid/a")


@fails("URLs", "an empty URL", brim.TransferFailed, r"\(empty\): a URL begins with one of https://, http://, file://")
def empty_url(at: Place):
    return download("")


@keeps("URLs", "a null URL (its body is null, which is no failure)", [None, 3])
def null_url(at: Place):
    return download(None, at.serve("good", b"abc"))


@fails("URLs", "`ftp://`", brim.TransferFailed, r"ftp://example\.org/a: a URL begins with one of https://, http://")
def ftp_url(at: Place):
    return download("ftp://example.org/a")


@fails("URLs", "`data:`", brim.TransferFailed, "data:text/plain,hello: a URL begins with one of")
def data_url(at: Place):
    return download("data:text/plain,hello")


@fails(
    "URLs", "a URL of 64 KiB (shown cut)", brim.TransferFailed, r"http://127.*x…: it is no URL that can be requested"
)
def long_url(at: Place):
    return download(at.serve("x" * 65536))


@fails("URLs", "a URL without a host", brim.TransferFailed, "http:///a: it is no URL that can be requested")
def hostless_url(at: Place):
    return download("http:///a")


@fails("URLs", "a URL with a port beyond 65535", brim.TransferFailed, "it is no URL that can be requested")
def port_out_of_range(at: Place):
    return download("http://127.0.0.1:99999/a")


@fails(
    "URLs",
    "a secret in a URL that fails (not shown)",
    brim.ObjectMissing,
    r"^(?!.*(secret|token)).*http://127\.0\.0\.1:8000/gone: 404",
)
def secret_url(at: Place):
    url = at.server.url(f"{at.case}/gone").replace("http://", "http://user:secret@")
    return download(f"{url}?token=abc")


@fails("URLs", "a file that is not there", brim.ObjectMissing, "file:///nowhere/a.jpg: ")
def missing_file_url(at: Place):
    return download("file:///nowhere/a.jpg")


@fails(
    "URLs",
    "a column that is no text",
    brim.SchemaMismatch,
    r"download: expected a column of URLs \(string\), found int64",
)
def url_of_ints(at: Place):
    return brim.range(3).select(body=col("id").url.download())


# Answers


@fails("HTTP", "404", brim.ObjectMissing, "http://.*/gone: 404 Not Found$")
def http_404(at: Place):
    return download(at.server.url(f"{at.case}/gone"))


@keeps("HTTP", '404 among others, with `on_error="null"`', [3, None, 3], failed=1, says="404 Not Found")
def http_404_null(at: Place):
    good = at.serve("good", b"abc")
    return download(good, at.server.url(f"{at.case}/gone"), good, on_error="null")


@fails("HTTP", "500 for ever", brim.TransferFailed, "500 Internal Server Error after 2 attempts")
def http_500(at: Place):
    return download(at.serve("broken", b"", *[Status(500)] * 10))


@keeps("HTTP", "429 with Retry-After, then the body (waited for)", [3])
def http_429_obeyed(at: Place):
    return download(at.serve("busy", b"abc", Status(429, {"Retry-After": "1"})))


@fails("HTTP", "429, and no retries left", brim.TransferFailed, "429 Too Many Requests")
def http_429(at: Place):
    return download(at.serve("busy", b"", *[Status(429)] * 10), retries=0)


@keeps("HTTP", "a body cut short, the same ETag (resumed)", [len(BODY)])
def cut_and_resumed(at: Place):
    return download(at.serve("cut", BODY, Cut(100_000)))


@fails(
    "HTTP", "a body cut short that has changed when it is resumed", brim.TransferFailed, "it changed while it was read"
)
def cut_and_changed(at: Place):
    return download(at.serve("cut", BODY, Cut(100_000), Change(BODY[::-1], '"2"')))


@fails("HTTP", "a body cut short at each attempt", brim.TransferFailed, "the body was cut")
def cut_for_ever(at: Place):
    return download(at.serve("cut", BODY, *[Cut(100)] * 10))


@fails(
    "HTTP",
    "a body without end, with `max_bytes`",
    brim.LimitExceeded,
    r"/endless: the size of a body is .* the limit is 1,000,000",
)
def endless_limited(at: Place):
    return download(at.raw("endless"), max_bytes=1_000_000)


@fails(
    "HTTP", "a body without end, without `max_bytes`", brim.RowTooLarge, r"/endless: one row needs .* raise `memory`"
)
def endless(at: Place):
    return download(at.raw("endless"))


@fails(
    "HTTP",
    'the same with `on_error="null"` (what is null never depends on `memory`)',
    brim.RowTooLarge,
    r"/endless: one row needs .* raise `memory`",
)
def endless_null(at: Place):
    return download(at.serve("good", b"abc"), at.raw("endless"), on_error="null")


@fails(
    "HTTP",
    "a body larger than `max_bytes`, as its Content-Length says",
    brim.LimitExceeded,
    "the size of a body is 512,000, the limit is 1,000",
)
def too_large(at: Place):
    return download(at.serve("large", BODY), max_bytes=1000)


@fails("HTTP", "a Content-Length that promises more than comes", brim.TransferFailed, "promises-more: the body was cut")
def promises_more(at: Place):
    return download(at.raw("promises-more"))


@fails("HTTP", "more bytes than the Content-Length says", brim.TransferFailed, "sends-more: ")
def sends_more(at: Place):
    return download(at.raw("sends-more"))


@fails("HTTP", "a negative Content-Length", brim.TransferFailed, "negative-length: its answer is not valid HTTP")
def negative_length(at: Place):
    return download(at.raw("negative-length"))


@fails("HTTP", "two Content-Lengths that differ", brim.TransferFailed, "two-lengths: its answer is not valid HTTP")
def two_lengths(at: Place):
    return download(at.raw("two-lengths"))


@fails("HTTP", "a header of a megabyte", brim.TransferFailed, "huge-head: its answer is not valid HTTP")
def huge_head(at: Place):
    return download(at.raw("huge-head"))


@fails("HTTP", "chunks that are none", brim.TransferFailed, "bad-chunks: ")
def bad_chunks(at: Place):
    return download(at.raw("bad-chunks"))


@fails("HTTP", "a server that does not speak HTTP", brim.TransferFailed, "nonsense: its answer is not valid HTTP")
def not_http(at: Place):
    return download(at.raw("nonsense"))


@fails("HTTP", "a redirect to itself", brim.TransferFailed, "more than 5 redirects")
def redirect_loop(at: Place):
    url = at.server.url(f"{at.case}/round")
    return download(at.serve("round", b"", *[Status(302, {"Location": url})] * 50))


@fails("HTTP", "a redirect to another scheme", brim.TransferFailed, "it redirects to what is no http")
def redirect_to_file(at: Place):
    return download(at.serve("away", b"", Status(302, {"Location": "file:///etc/passwd"})))


@fails("HTTP", "a redirect without a Location", brim.TransferFailed, "it redirects to what is no http")
def redirect_nowhere(at: Place):
    return download(at.raw("redirect-nowhere"))


@fails("HTTP", "a server slower than `timeout_s`", brim.TransferTimeout, r"it took more than 0\.2 s")
def too_slow(at: Place):
    return download(at.serve("slow", b"abc", late_s=3), timeout_s=0.2, retries=0)


# Egress


@fails(
    "Egress",
    'a private address under `egress="public"`',
    brim.EgressDenied,
    "not an address this engine may dial",
    egress="public",
)
def private_address(at: Place):
    return download(at.serve("inside", b"abc"))


@fails("Egress", "the same written as a number", brim.EgressDenied, "not an address", egress="public")
def private_number(at: Place):
    return download(f"http://2130706433:{at.raw_port}/a")


@fails("Egress", "the same inside an IPv6 address", brim.EgressDenied, "not an address", egress="public")
def private_mapped(at: Place):
    return download(f"http://[::ffff:127.0.0.1]:{at.raw_port}/a")


@fails("Egress", 'a local file under `egress="public"`', brim.EgressDenied, "file:///etc/passwd: ", egress="public")
def file_denied(at: Place):
    return download("file:///etc/passwd")


@keeps(
    "Egress",
    'a private address under `egress="public"`, with `on_error="null"`',
    [None],
    failed=1,
    says="not an address",
    egress="public",
)
def private_null(at: Place):
    return download(at.serve("inside", b"abc"), on_error="null")
