"""Client: a bucket as obstore opens it, with our options and its own chain of credentials.

The one place that imports obstore, which is optional.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from brim.errors import PlanError
from brim.io.object_stores.storage import Storage

MISSING = "needs obstore, which is not installed: pip install 'brim[stores]'"

_CONNECT = timedelta(seconds=20)
_SILENCE = timedelta(seconds=60)
_WHOLE = timedelta(days=1)  # a body may take long: its reader waits for memory. Silence is what is limited
_IDLE = timedelta(seconds=20)
_WRITE_RETRIES = 5


def open_bucket(scheme: str, bucket: str, storage: Storage, *, writes: bool = False) -> Any:
    """The store of obstore for a bucket.

    Reading is tried again by us, who know who else waits for the host; a part of an upload only obstore can repeat,
    so what `writes` is given retries of its own.
    """
    try:
        from obstore import store as stores  # noqa: PLC0415 - optional
    except ImportError:
        raise PlanError(f"{scheme}:// {MISSING}") from None
    common: dict[str, Any] = {
        "client_options": {
            "user_agent": "brim",
            "allow_http": (storage.endpoint or "").startswith("http://"),
            "connect_timeout": _CONNECT,
            "read_timeout": _SILENCE,
            "timeout": _WHOLE,
            "pool_idle_timeout": _IDLE,
        },
        "retry_config": {"max_retries": _WRITE_RETRIES if writes else 0},
    }
    try:
        match scheme:
            case "s3":
                return stores.S3Store(bucket, **common, **_s3_options(storage))
            case "gs":
                return stores.GCSStore(bucket, **common, **_gs_options(storage))
            case _:
                return stores.AzureStore(bucket, **common, **_az_options(storage))
    except PlanError:
        raise
    except Exception as error:  # noqa: BLE001 - its errors have no common type for options
        raise PlanError(f"{scheme}://{bucket}: {_reason(error)}; say it in storage=") from None


def _s3_options(storage: Storage) -> dict[str, Any]:
    options = _given(
        endpoint=storage.endpoint,
        region=storage.region,
        access_key_id=storage.access_key_id,
        secret_access_key=storage.secret_access_key,
        session_token=storage.session_token,
        skip_signature=storage.anonymous,
        virtual_hosted_style_request=storage.virtual_hosted,
    )
    if storage.profile is not None:
        options["credential_provider"] = _profile(storage.profile)
    return options


def _profile(name: str) -> Any:
    try:
        from boto3.session import Session  # noqa: PLC0415 - optional
        from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415 - optional
    except ImportError:
        raise PlanError("storage={'profile': …} needs boto3, which is not installed: pip install boto3") from None
    return Boto3CredentialProvider(Session(profile_name=name))


def _gs_options(storage: Storage) -> dict[str, Any]:
    return _given(
        base_url=storage.endpoint,
        service_account=storage.service_account,
        service_account_key=storage.service_account_key,
        bearer_token=storage.bearer_token,
        skip_signature=storage.anonymous,
    )


def _az_options(storage: Storage) -> dict[str, Any]:
    return _given(
        endpoint=storage.endpoint,
        account_name=storage.account,
        account_key=storage.account_key,
        sas_key=storage.sas_token,
        token=storage.bearer_token,
        tenant_id=storage.tenant_id,
        client_id=storage.client_id,
        client_secret=storage.client_secret,
        skip_signature=storage.anonymous,
    )


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value}


def _reason(error: Exception) -> str:
    """The first line of what obstore says of options; the rest is for its developers."""
    return str(error).partition("\n")[0].strip()[:300] or type(error).__name__
