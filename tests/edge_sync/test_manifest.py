"""The manifest refuses what no gateway would write, naming the field, and survives the way through JSON."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from expectations.manifest import DECLARED, Manifest, parse_data_key

MANIFEST = Manifest(
    tenant="acme",
    site="gebze",
    contract="sales",
    contract_version="1.0.0",
    gateway="gw-1",
    sequence=7,
    sha256="0" * 64,
    bytes=1234,
    rows=10,
    period_start=date(2024, 1, 1),
    period_end=None,
    created_at=datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
    source="satış.csv",
    known_time=DECLARED,
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tenant", "a/b"),
        ("tenant", ""),
        ("site", "_manifests"),
        ("gateway", 5),
        ("sequence", -1),
        ("sequence", True),
        ("rows", "10"),
        ("bytes", 1.5),
        ("sha256", "ABC"),
        ("period_start", "01.02.2024"),
        ("created_at", "2024-01-02T03:04:05"),
        ("known_time", "guessed"),
        ("manifest_version", 2),
        ("object_key", "acme/gebze/sales/gw-1-0000000008.parquet"),
        ("contract_version", None),
    ],
)
def test_a_bad_field_is_named_with_its_value(name: str, value: object) -> None:
    record = {**json.loads(MANIFEST.to_json()), name: value}
    with pytest.raises(ValueError, match=f"^{name}: {value!r}"):
        Manifest.from_json(json.dumps(record))


@pytest.mark.parametrize("name", ["tenant", "sequence", "sha256", "rows", "known_time", "period_end"])
def test_a_missing_field_is_named(name: str) -> None:
    record = json.loads(MANIFEST.to_json())
    del record[name]
    with pytest.raises(ValueError, match=f"^{name}: missing"):
        Manifest.from_json(json.dumps(record))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", b"\xff\xfe"])
def test_what_is_no_json_object_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="manifest"):
        Manifest.from_json(text)


@pytest.mark.parametrize(
    "key",
    [
        "a/b/c/gw-1.parquet",
        "a/b/gw-0000000001.parquet",
        "a/_manifests/c/gw-0000000001.parquet",
        "a/b/c/d/gw-0000000001.parquet",
        "",
    ],
)
def test_a_key_of_another_shape_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="SEQUENCE"):
        parse_data_key(key)


def test_json_brings_back_the_same_manifest() -> None:
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST


def test_the_keys_lie_under_the_tenant() -> None:
    assert MANIFEST.data_key() == "acme/gebze/sales/gw-1-0000000007.parquet"
    assert MANIFEST.manifest_key() == "acme/_manifests/gebze/sales/gw-1-0000000007.json"
    assert parse_data_key(MANIFEST.data_key()) == MANIFEST.name
    assert parse_data_key(MANIFEST.data_key()).manifest_key == MANIFEST.manifest_key()


def test_the_gateways_own_name_may_end_like_a_sequence() -> None:
    odd = replace(MANIFEST, gateway="gw-0000000001")
    assert parse_data_key(odd.data_key()) == odd.name
