"""A server of S3, and of the XML requests of GCS, which are the same: moto's, in a process of its own.

It counts connections as it sees them: those accepted that neither side has closed. `GET /connections` says the most there
were at once; reading it starts anew.

    python s3_server.py        prints its port
"""

from __future__ import annotations

import logging
import socket
import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler


class Handler(WSGIRequestHandler):
    """Says nothing."""

    def log(self, type, message, *args):  # noqa: A002 - werkzeug's name
        """Requests are no news."""


class Counting(ThreadedWSGIServer):
    """Counts connections."""

    live: set[socket.socket]
    most = 0
    daemon_threads = True
    request_queue_size = 512

    def process_request(self, request, client_address):
        with self.lock:
            self.live.add(request)
            self.most = max(self.most, sum(not gone(one) for one in self.live))
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        with self.lock:
            self.live.discard(request)
        super().shutdown_request(request)


def gone(connection: socket.socket) -> bool:
    """Whether the other side has closed."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def main() -> None:
    logging.disable(logging.CRITICAL)
    moto = DomainDispatcherApplication(create_backend_app)

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/connections":
            start_response("200 OK", [("Content-Type", "text/plain")])
            most, server.most = server.most, 0
            return [str(most).encode()]
        return moto(environ, start_response)

    server = Counting("127.0.0.1", 0, application, handler=Handler)
    server.live, server.lock = set(), threading.Lock()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
