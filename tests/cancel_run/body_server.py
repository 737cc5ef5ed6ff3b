"""A server of bodies in a process of its own, so that its sockets and tasks are not those of the process that is tested.

    python body_server.py        prints its port; ends when its input does

`/sized/N` has a length and comes in two halves, a pause between them; `/chunked/N` says no length. The body of N is
`body(N)`.
"""

from __future__ import annotations

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAUSE_S = 0.002
TEXT = b"a body of some length, "


def body(number: int) -> bytes:
    """What `number` has: 2 to 22 KB."""
    return TEXT * (100 * (1 + number % 10))


class Handler(BaseHTTPRequestHandler):
    """Answers with a body, slowly; clients that leave are no news."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        kind, number = self.path.strip("/").split("/")
        data = body(int(number))
        half = len(data) // 2
        self.send_response(200)
        self.send_header("Content-Length", str(len(data))) if kind == "sized" else self.send_header(
            "Transfer-Encoding", "chunked"
        )
        self.end_headers()
        try:
            for part in (data[:half], data[half:]):
                self._send(part, chunked=kind == "chunked")
                time.sleep(PAUSE_S)
            if kind == "chunked":
                self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True

    def _send(self, part: bytes, *, chunked: bool) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
        self.wfile.flush()

    def log_message(self, *args: object) -> None:
        """Requests are no news."""


class Server(ThreadingHTTPServer):
    """Says nothing of clients that leave."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves is no error."""


def main() -> None:
    server = Server(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
