"""A web server on 127.0.0.1 for the workloads that download: nginx, or aiohttp in a process of its own without it.

`/NAME` is the file NAME of the served folder; `/same/NAME/ANYTHING` is that file too, so that 200 bodies of 16 MB need
one file on disk. A slow server would hide what the engines do: nginx sends files by `sendfile` from the page cache.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
STARTUP_S = 10.0

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000;
    types {{ image/jpeg jpg; application/gzip gz; }}
    default_type application/octet-stream;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {root};
        location /same/ {{ rewrite ^/same/([^/]+)/ /$1 break; }}
    }}
}}
"""


@contextmanager
def serving(root: Path, nginx: str | None = NGINX) -> Iterator[str]:
    """Serve `root` while the block runs; gives the address, as ``http://127.0.0.1:40123``."""
    port = _free_port()
    with TemporaryDirectory(prefix="brim-nginx-") as folder:
        process = subprocess.Popen(_command(nginx, Path(folder), root.resolve(), port), stderr=subprocess.DEVNULL)
        try:
            _wait_until_open(process, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def server_name() -> str:
    """Which server serves, for the heading of a table."""
    return "nginx" if NGINX else "aiohttp (nginx is not installed)"


def _command(nginx: str | None, folder: Path, root: Path, port: int) -> list[str]:
    if nginx is None:
        return [sys.executable, "-m", "benchmarks.web_server", str(root), str(port)]
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, root=root, port=port))
    folder.chmod(0o755)  # as root, nginx reads with a user of its own
    user = ["-g", "user root;"] if _is_root() else []
    return [nginx, "-c", str(configuration), "-p", str(folder), *user]


def _is_root() -> bool:
    return os.geteuid() == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_open(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + STARTUP_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the web server ended with status {process.returncode}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"the web server did not open port {port} within {STARTUP_S:.0f} s")


def _serve_with_aiohttp(root: Path, port: int) -> None:
    from aiohttp import web

    async def same(request: web.Request) -> web.FileResponse:
        return web.FileResponse(root / Path(request.match_info["name"]).name)

    application = web.Application()
    application.router.add_get("/same/{name}/{rest}", same)
    application.router.add_static("/", root)
    web.run_app(application, host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    _serve_with_aiohttp(Path(sys.argv[1]), int(sys.argv[2]))
