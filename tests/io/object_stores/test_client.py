import sys

import pytest

import brim
from brim.errors import PlanError
from brim.io.object_stores.client import open_bucket
from brim.io.object_stores.storage import Storage


def test_without_obstore_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)  # as if it were not there
    with pytest.raises(PlanError, match=r"s3:// needs obstore, .*pip install 'brim\[stores\]'"):
        open_bucket("s3", "data", Storage())
    rows = brim.from_pydict({"url": ["s3://data/a"]}).select(body=brim.col("url").url.download())
    with pytest.raises(brim.BrimError, match=r"pip install 'brim\[stores\]'"):
        rows.run_blocking(memory="64MiB")


def test_options_that_a_cloud_refuses_are_told_without_their_values(monkeypatch):
    with pytest.raises(PlanError, match=r"az://data: .*say it in storage=") as caught:
        open_bucket("az", "data", Storage(account="ours", account_key="no base64, but a secret"))
    assert "but a secret" not in str(caught.value)
