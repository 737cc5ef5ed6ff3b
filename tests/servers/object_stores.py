"""Object stores to test with: servers of S3, GCS and Azure on this machine, each a `Stand`, without Docker.

- S3: moto's server
- GCS: the same server. obstore speaks the XML requests of GCS, which are those of S3; emulators on PyPI have the JSON ones
- Azure: Azurite from npm, in `build/azurite`, installed when it is not there; skipped where it cannot be
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import AzureStore, GCSStore, S3Store

HERE = Path(__file__).parent
AZURITE = HERE.parents[1] / "build" / "azurite"
ACCOUNT = "devstoreaccount1"  # Azurite's, known to all
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
SECRET = "a-secret-of-the-tests"


@dataclass
class Stand:
    """A store with one bucket; `store` is obstore's own view of it."""

    root: str
    endpoint: str
    storage: dict[str, Any]
    store: Any = field(repr=False)

    def put(self, key: str, data: bytes) -> str:
        obstore.put(self.store, key, data, use_multipart=False)
        return f"{self.root}/{key}"

    def get(self, key: str) -> bytes:
        return bytes(obstore.get(self.store, key).bytes())

    def keys(self, prefix: str = "") -> list[str]:
        return sorted(found["path"] for found in obstore.list(self.store, prefix or None).collect())

    def uploads(self) -> list[str]:
        """The keys of uploads that were begun and neither completed nor aborted."""
        listing = urllib.request.urlopen(f"{self.endpoint}/{self.root.rpartition('/')[2]}?uploads").read().decode()
        return re.findall(r"<Key>([^<]*)</Key>", listing)

    def most_connections(self) -> int:
        """The most connections at once since this was last asked."""
        return int(urllib.request.urlopen(f"{self.endpoint}/connections").read())


@contextmanager
def s3_and_gcs() -> Iterator[tuple[Stand, Stand]]:
    with subprocess.Popen(
        [sys.executable, str(HERE / "s3_server.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        endpoint = f"http://127.0.0.1:{int(process.stdout.readline())}"
        try:
            for bucket in ("data", "gdata"):
                urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{bucket}", method="PUT"))
            plain = {"client_options": {"allow_http": True}}
            keys = {"access_key_id": "key", "secret_access_key": SECRET, "region": "us-east-1"}
            s3 = S3Store("data", endpoint=endpoint, **keys, **plain)
            gcs = GCSStore("gdata", base_url=endpoint, bearer_token=SECRET, **plain)
            yield (
                Stand("s3://data", endpoint, {"endpoint": endpoint, **keys}, s3),
                Stand("gs://gdata", endpoint, {"endpoint": endpoint, "bearer_token": SECRET}, gcs),
            )
        finally:
            process.stdin.close()
            process.terminate()


@contextmanager
def azure() -> Iterator[Stand]:
    command = [azurite(), "--blobPort", "0", "--blobHost", "127.0.0.1", "--inMemoryPersistence"]
    command += ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            lines = iter(process.stdout.readline, "")
            found = next((match for line in lines if (match := re.search(r"listens on (http://\S+)", line))), None)
            if found is None:
                pytest.skip("Azurite does not start here")
            endpoint = f"{found[1]}/{ACCOUNT}"
            make_container(endpoint, "data")
            account = {"account_name": ACCOUNT, "account_key": ACCOUNT_KEY}
            store = AzureStore("data", endpoint=endpoint, **account, client_options={"allow_http": True})
            storage = {"endpoint": endpoint, "account": ACCOUNT, "account_key": ACCOUNT_KEY}
            yield Stand("az://data", endpoint, storage, store)
        finally:
            process.terminate()


def azurite() -> str:
    """Azurite's program; skips where there is none and npm cannot bring it."""
    if (found := shutil.which("azurite-blob")) is not None:
        return found
    program = AZURITE / "node_modules" / ".bin" / "azurite-blob"
    if not program.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("Azurite comes from npm, which is not here")
        AZURITE.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(AZURITE), "azurite@3"]
        try:
            subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
        except subprocess.SubprocessError as error:
            said = (getattr(error, "stderr", None) or str(error)).strip()
            pytest.skip(f"npm cannot install Azurite here: {said[-200:]}")
    return str(program)


def make_container(endpoint: str, name: str) -> None:
    date = format_datetime(datetime.now(UTC), usegmt=True)
    signed = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:2021-08-06\n/{ACCOUNT}/{ACCOUNT}/{name}\n"
    signed += "restype:container"
    signature = base64.b64encode(hmac.digest(base64.b64decode(ACCOUNT_KEY), signed.encode(), hashlib.sha256)).decode()
    headers = {"x-ms-date": date, "x-ms-version": "2021-08-06", "Authorization": f"SharedKey {ACCOUNT}:{signature}"}
    url = f"{endpoint}/{name}?restype=container"
    urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers))
