"""The listing of the landing bucket: every data object, under its true name, page by page."""

from __future__ import annotations

import pytest

from jobs import landing
from jobs.errors import JobError
from jobs.landing import LandedObject, Landing, _parse_page

PAGE = b"""<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>landing</Name><Prefix>a/</Prefix>
<NextContinuationToken>t&amp;1</NextContinuationToken><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
<Contents><Key>a/b+c/%C4%9F%2B%26.parquet</Key><LastModified>2026-03-01T10:00:00.123Z</LastModified>
<ETag>&quot;e1&quot;</ETag><Owner><ID>x</ID></Owner><Size>12</Size><StorageClass>STANDARD</StorageClass></Contents>
<Contents><Key>a/d</Key><ETag>&#34;e2-3&#34;</ETag><Size>0</Size><LastModified>2026-03-01T11:00:00Z</LastModified></Contents>
<CommonPrefixes><Prefix>a/_manifests/</Prefix></CommonPrefixes></ListBucketResult>"""


def test_a_page_is_read_in_any_order_of_its_fields():
    page = _parse_page(PAGE)
    assert page.objects == [
        LandedObject("a/b c/ğ+&.parquet", "e1", 12, "2026-03-01T10:00:00.123Z"),
        LandedObject("a/d", "e2-3", 0, "2026-03-01T11:00:00Z"),
    ]
    assert (page.folders, page.next_token) == (["a/_manifests/"], "t&1")


def test_names_are_left_alone_where_they_are_not_encoded():
    plain = PAGE.replace(b"<EncodingType>url</EncodingType>", b"").replace(b"a/d", b"a/%41+&amp;")
    assert _parse_page(plain).objects[1].key == "a/%41+&"


def test_an_entry_without_a_field_is_told():
    with pytest.raises(JobError, match="entries without key, ETag, size or time"):
        _parse_page(PAGE.replace(b"<Size>0</Size>", b""))


def test_all_objects_are_listed_however_many_pages_they_fill(gateway_of, settings, monkeypatch):
    monkeypatch.setattr(landing, "PAGE", 2)
    gateway = gateway_of("listing")
    names = [f"gw-{i}-0000000001.parquet" for i in range(5)] + ["ğ %20+&#[x]-0000000001.parquet"]
    keys = {f"listing/{site}/sales/{name}" for site in ("gebze", "İzmir 2") for name in names} | {"listing/stray"}
    for key in keys:
        gateway.put(key, b"x")
        gateway.put(key.replace("listing/", "listing/_manifests/"), b"{}")
    found = Landing(settings).objects(["listing"])
    assert {o.key for o in found} == keys
    assert len(found) == len(keys)
    assert "listing" in {o.tenant for o in Landing(settings).objects()}
    times = [o.landed_at for o in found]
    assert times == sorted(times)
