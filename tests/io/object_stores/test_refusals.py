import pytest
from obstore.exceptions import GenericError, PermissionDeniedError, PreconditionError

from brim.errors import ObjectMissing, TransferFailed, TransferTimeout
from brim.io.object_stores.refusals import UNKNOWN, failure_of

SIGNED = "Error performing GET https://x.blob.core.windows.net/c/k?sig=topsecret in 3ms - "
XML = "Server returned non-2xx status code: {}: <?xml?><Error><Code>{}</Code></Error>"
CONNECT = (
    "HTTP error: error sending request\n inner: Http(\n HttpError {\n kind: Connect, source: Os {\n"
    'code: 111, kind: ConnectionRefused, message: "Connection refused" }'
)


@pytest.mark.parametrize(
    ("error", "says", "kind", "again"),
    [
        (FileNotFoundError(SIGNED + XML.format("404 Not Found", "NoSuchKey")), "no such object", ObjectMissing, False),
        (FileNotFoundError(SIGNED + XML.format("404", "NoSuchBucket")), "no such bucket", ObjectMissing, False),
        (GenericError(SIGNED + XML.format("503 Slow", "SlowDown")), r"503 .*\(SlowDown\)", TransferFailed, True),
        (GenericError(SIGNED + XML.format("500 x", "InternalError")), "500", TransferFailed, True),
        (GenericError(SIGNED + XML.format("400 Bad", "Oops")), r"400 Bad Request \(Oops\)", TransferFailed, False),
        (PermissionDeniedError(SIGNED + XML.format("403 F", "AccessDenied")), "say other keys", TransferFailed, False),
        (PreconditionError(SIGNED), "changed while it was read", TransferFailed, False),
        (GenericError(SIGNED + CONNECT), r"connection failed \(Connection refused\)", TransferFailed, True),
        (GenericError(SIGNED + CONNECT.replace("Connect,", "Timeout,")), "connection failed", TransferTimeout, True),
        (GenericError(SIGNED + "Received redirect without LOCATION"), "another region; say it", TransferFailed, False),
        (GenericError("Generic S3 error: no credential provider"), "no credentials were found", TransferFailed, False),
        (GenericError(SIGNED + "something new"), "transfer failed", TransferFailed, True),
    ],
)
def test_what_obstore_raises_is_a_failure_with_a_remedy_and_no_secret(error, says, kind, again):
    failure = failure_of(error)
    assert (failure.error, failure.again) == (kind, again)
    with pytest.raises(kind, match=says):
        raise failure.error("s3://b/k", failure.reason)
    assert "topsecret" not in failure.reason


def test_what_a_store_does_not_know_is_told_apart():
    assert failure_of(NotImplementedError("put with a condition")).reason == UNKNOWN
    assert failure_of(GenericError(XML.format("501 x", "NotImplemented"))).reason.startswith(UNKNOWN)


def test_a_store_that_throttles_is_left_alone_for_a_while():
    assert failure_of(GenericError(XML.format("503 Slow", "SlowDown"))).retry_after == 1.0
    assert failure_of(GenericError(XML.format("500 x", "InternalError"))).retry_after is None
