"""Storage: how to reach object stores, said once. What is not said is found by the usual chain of each cloud.

A `storage=` is options, or options by URL prefix where stores differ:

    {"region": "eu-central-1"}
    {"s3://": {"endpoint": "http://127.0.0.1:9000"}, "s3://public-data": {"anonymous": True}, "az://": {"account": "x"}}

The longest prefix that fits wins whole; options are never mixed. Secrets are in no repr, error or event.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from brim.errors import PlanError
from brim.io.object_stores.object_url import SCHEMES
from brim.operators.safe_url import safe_url

StorageLike = Any
"""`Storage`, a mapping of its fields, a mapping of URL prefixes to either, or None."""


def _secret() -> Any:
    return field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Options of object stores; each is of use to the stores named beside it, and None means what is usual there.

    Attributes:
        endpoint: URL of the service, where it is not the cloud's own; ``http://`` is allowed.
        anonymous: send no credentials: public buckets.
        region: S3.
        access_key_id: S3, with `secret_access_key` and perhaps `session_token`.
        secret_access_key: S3.
        session_token: S3.
        profile: S3: a profile of the AWS configuration, which takes boto3.
        virtual_hosted: S3: the bucket's name is in the host, not in the path.
        service_account: GCS: the path of a key file.
        service_account_key: GCS: the text of a key file.
        bearer_token: GCS and Azure: a token that was made elsewhere.
        account: Azure: the storage account's name.
        account_key: Azure.
        sas_token: Azure.
        tenant_id: Azure, with `client_id` and `client_secret`.
        client_id: Azure.
        client_secret: Azure.
    """

    endpoint: str | None = None
    anonymous: bool = False
    region: str | None = None
    access_key_id: str | None = _secret()
    secret_access_key: str | None = _secret()
    session_token: str | None = _secret()
    profile: str | None = None
    virtual_hosted: bool = False
    service_account: str | None = None
    service_account_key: str | None = _secret()
    bearer_token: str | None = _secret()
    account: str | None = None
    account_key: str | None = _secret()
    sas_token: str | None = _secret()
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: str | None = _secret()

    def __repr__(self) -> str:
        """Without secrets, and without what is as usual."""
        shown = {item.name: getattr(self, item.name) for item in fields(self) if item.repr}
        if self.endpoint is not None:
            shown["endpoint"] = safe_url(self.endpoint)
        said = ", ".join(f"{name}={value!r}" for name, value in shown.items() if value)
        return f"Storage({said})"

    def __post_init__(self) -> None:
        for item in fields(self):
            value, kind = getattr(self, item.name), bool if item.type == "bool" else str
            if not isinstance(value, kind) and not (kind is str and value is None):
                raise PlanError(f"storage={{{item.name!r}: …}} is a {kind.__name__}, not a {type(value).__name__}")
        if bool(self.access_key_id) != bool(self.secret_access_key):
            raise PlanError("storage=: access_key_id and secret_access_key go together")
        if self.endpoint is not None and not self.endpoint.startswith(("http://", "https://")):
            raise PlanError("storage=: endpoint is an http:// or https:// URL")


@dataclass(frozen=True, slots=True)
class StorageRules:
    """Options by URL prefix, the empty prefix among them perhaps."""

    rules: tuple[tuple[str, Storage], ...] = ()

    def find(self, url: str) -> Storage | None:
        """The options for `url`: those of the longest prefix that fits."""
        found = [rule for rule in self.rules if _fits(rule[0], url)]
        return max(found, key=lambda rule: len(rule[0]))[1] if found else None


def storage_rules(storage: StorageLike) -> StorageRules:
    """What `storage=` says; a `PlanError` says what it cannot be, without its values.

    >>> storage_rules({"s3://data": {"region": "eu-west-1"}}).find("s3://data/a.csv").region
    'eu-west-1'
    """
    if storage is None:
        return StorageRules()
    if isinstance(storage, StorageRules):
        return storage
    if isinstance(storage, Storage):
        return StorageRules((("", storage),))
    if not isinstance(storage, Mapping) or not all(isinstance(key, str) for key in storage):
        raise PlanError(f"storage= is a brim.Storage or a mapping of its options, not a {type(storage).__name__}")
    rules = [(_prefix(key), _options(value)) for key, value in storage.items() if "://" in key]
    rest = {key: value for key, value in storage.items() if "://" not in key}
    return StorageRules((*rules, *([("", _options(rest))] if rest else [])))


def _prefix(key: str) -> str:
    scheme, _, rest = key.partition("://")
    bucket, _, below = rest.partition("/")
    if scheme not in SCHEMES or below:
        known = " or ".join(f"{scheme}://" for scheme in SCHEMES)
        raise PlanError(f"storage={{{safe_url(key)!r}: …}}: a prefix is {known}, or that and a bucket")
    return f"{scheme}://{bucket}"


def _options(value: object) -> Storage:
    if isinstance(value, Storage):
        return value
    if not isinstance(value, Mapping):
        raise PlanError(f"storage=: options are a brim.Storage or a mapping, not a {type(value).__name__}")
    known = [item.name for item in fields(Storage)]
    for key in value:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise PlanError(f"storage=: no option {key!r}; {hint}")
    return Storage(**value)


def _fits(prefix: str, url: str) -> bool:
    """Whether `url` is below `prefix`; the name of a bucket must fit whole."""
    if not url.startswith(prefix):
        return False
    return not prefix or prefix.endswith("/") or url[len(prefix) :][:1] in ("", "/")
