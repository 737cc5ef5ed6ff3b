import pickle

import pytest

from brim.errors import PlanError
from brim.io.object_stores.storage import Storage, StorageRules, storage_rules


def test_the_longest_prefix_wins_whole():
    rules = storage_rules(
        {
            "region": "eu-west-1",
            "s3://": {"region": "us-east-1"},
            "s3://public": {"anonymous": True},
            "az://": Storage(),
        }
    )
    assert rules.find("gs://any/a").region == "eu-west-1"
    assert rules.find("s3://other/a").region == "us-east-1"
    assert rules.find("s3://public") == rules.find("s3://public/a") == Storage(anonymous=True)
    assert rules.find("s3://public-not/a").region == "us-east-1"
    assert storage_rules(None).find("s3://a/b") is None
    assert storage_rules(rules) is rules


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"regoin": "eu"}, "no option 'regoin'; did you mean 'region'"),
        ({"zzz": "eu"}, "no option 'zzz'; there are endpoint, anonymous"),
        ({"s3://data/key": {}}, r"a prefix is s3:// or gs:// or az://, or that and a bucket"),
        ({"ftp://": {}}, r"a prefix is s3://"),
        ({"s3://": 3}, "options are a brim.Storage or a mapping, not a int"),
        ("s3", "is a brim.Storage or a mapping of its options, not a str"),
        ({"anonymous": "yes"}, "'anonymous': …} is a bool, not a str"),
        ({"region": 3}, "'region': …} is a str, not a int"),
        ({"access_key_id": "a"}, "go together"),
        ({"endpoint": "127.0.0.1:9000"}, "endpoint is an http:// or https:// URL"),
    ],
)
def test_what_cannot_be_is_said_at_once(given, says):
    with pytest.raises(PlanError, match=says):
        storage_rules(given)


def test_secrets_are_in_no_repr():
    secrets = dict.fromkeys(
        ("access_key_id", "secret_access_key", "session_token", "account_key", "sas_token", "client_secret"), "hidden"
    )
    storage = Storage(**secrets, service_account_key="hidden", bearer_token="hidden", region="shown")
    assert "hidden" not in repr(storage)
    assert "shown" in repr(storage)
    assert repr(Storage(endpoint="https://hidden:hidden@host/path?hidden=1")) == "Storage(endpoint='https://host/path')"
    assert "hidden" not in repr(StorageRules((("s3://", storage),)))
    assert pickle.loads(pickle.dumps(storage)) == storage
