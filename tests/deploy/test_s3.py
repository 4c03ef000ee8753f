"""What a gateway's key reaches on the real S3 server, and what it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

BUCKET = "landing"
OTHERS = "other/plant/sales/gw-0000000001.parquet"


@pytest.fixture(scope="module")
def admin(s3_server: Any) -> Any:
    client = s3_server.admin.client()
    client.put_object(Bucket=BUCKET, Key=OTHERS, Body=b"theirs")
    client.put_object(Bucket=BUCKET, Key="acme2/plant/x", Body=b"of a tenant whose name begins the same")
    return client


@pytest.fixture(scope="module")
def gateway(s3_server: Any, admin: Any) -> Any:
    return s3_server.gateway("acme").client()


FORBIDDEN: dict[str, Callable[[Any], object]] = {
    "read": lambda c: c.get_object(Bucket=BUCKET, Key=OTHERS),
    "look at": lambda c: c.head_object(Bucket=BUCKET, Key=OTHERS),
    "write": lambda c: c.put_object(Bucket=BUCKET, Key="other/plant/x", Body=b"x"),
    "overwrite": lambda c: c.put_object(Bucket=BUCKET, Key=OTHERS, Body=b"x"),
    "delete": lambda c: c.delete_object(Bucket=BUCKET, Key=OTHERS),
    "copy from": lambda c: c.copy_object(Bucket=BUCKET, Key="acme/x", CopySource=f"{BUCKET}/{OTHERS}"),
    "copy to": lambda c: c.copy_object(Bucket=BUCKET, Key="other/x", CopySource=f"{BUCKET}/acme/plant/x"),
    "upload in parts": lambda c: c.create_multipart_upload(Bucket=BUCKET, Key="other/plant/x"),
    "read by ..": lambda c: c.get_object(Bucket=BUCKET, Key=f"acme/../{OTHERS}"),
    "write by ..": lambda c: c.put_object(Bucket=BUCKET, Key="acme/../other/x", Body=b"x"),
    "read a name that begins the same": lambda c: c.get_object(Bucket=BUCKET, Key="acme2/plant/x"),
    "list": lambda c: c.list_objects_v2(Bucket=BUCKET, Prefix="other/"),
    "list by v1": lambda c: c.list_objects(Bucket=BUCKET, Prefix="other/"),
    "list names that begin the same": lambda c: c.list_objects_v2(Bucket=BUCKET, Prefix="acme"),
    "list the bucket": lambda c: c.list_objects_v2(Bucket=BUCKET),
    "list uploads": lambda c: c.list_multipart_uploads(Bucket=BUCKET),
    "list versions": lambda c: c.list_object_versions(Bucket=BUCKET),
    "write beside the tenants": lambda c: c.put_object(Bucket=BUCKET, Key="x", Body=b"x"),
    "make a bucket": lambda c: c.create_bucket(Bucket="acme-bucket"),
    "delete the bucket": lambda c: c.delete_bucket(Bucket=BUCKET),
    "open the bucket": lambda c: c.put_bucket_acl(Bucket=BUCKET, ACL="public-read"),
    "give the bucket a policy": lambda c: c.put_bucket_policy(Bucket=BUCKET, Policy="{}"),
    "version the bucket": lambda c: c.put_bucket_versioning(
        Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"}
    ),
}


@pytest.mark.parametrize("deed", FORBIDDEN)
def test_a_gateway_cannot_touch_what_is_not_its_tenants(deed: str, gateway: Any) -> None:
    gateway.put_object(Bucket=BUCKET, Key="acme/plant/x", Body=b"mine")
    with pytest.raises(ClientError) as refused:
        FORBIDDEN[deed](gateway)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)


def test_the_other_tenants_object_is_still_there(gateway: Any, admin: Any) -> None:
    for deed in FORBIDDEN.values():
        with pytest.raises(ClientError):
            deed(gateway)
    assert admin.get_object(Bucket=BUCKET, Key=OTHERS)["Body"].read() == b"theirs"


def test_a_delete_of_many_spares_other_tenants(gateway: Any, admin: Any) -> None:
    answer = gateway.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": OTHERS}]})
    assert [error["Code"] for error in answer["Errors"]] == ["AccessDenied"]
    assert admin.head_object(Bucket=BUCKET, Key=OTHERS)


def test_a_listing_by_dot_dot_shows_nothing(gateway: Any) -> None:
    assert "Contents" not in gateway.list_objects_v2(Bucket=BUCKET, Prefix="acme/../other/")


def test_no_bucket_is_shown_to_a_gateway(gateway: Any) -> None:
    assert gateway.list_buckets()["Buckets"] == []


def test_a_gateway_writes_reads_and_lists_its_tenants_prefix(gateway: Any) -> None:
    gateway.put_object(Bucket=BUCKET, Key="acme/plant/sales/1", Body=b"mine")
    assert gateway.get_object(Bucket=BUCKET, Key="acme/plant/sales/1")["Body"].read() == b"mine"
    listed = gateway.list_objects_v2(Bucket=BUCKET, Prefix="acme/plant/sales/")["Contents"]
    assert [entry["Key"] for entry in listed] == ["acme/plant/sales/1"]


def test_a_second_conditional_put_is_refused(gateway: Any) -> None:
    gateway.put_object(Bucket=BUCKET, Key="acme/plant/once", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        gateway.put_object(Bucket=BUCKET, Key="acme/plant/once", Body=b"2", IfNoneMatch="*")


def test_a_key_of_one_site_writes_its_objects_and_manifests_alone(s3_server: Any) -> None:
    client = s3_server.gateway("acme", "izmir").client()
    client.put_object(Bucket=BUCKET, Key="acme/izmir/sales/1", Body=b"")
    client.put_object(Bucket=BUCKET, Key="acme/_manifests/izmir/sales/1", Body=b"")
    for key in ("acme/bursa/sales/1", "acme/_manifests/bursa/sales/1", "acme/izmir2/x"):
        with pytest.raises(ClientError, match="AccessDenied"):
            client.put_object(Bucket=BUCKET, Key=key, Body=b"")


def test_nobody_reaches_the_server_without_a_key(s3_server: Any) -> None:
    import urllib.error
    import urllib.request

    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{s3_server.admin.endpoint}/{BUCKET}/{OTHERS}")
