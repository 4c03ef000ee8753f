"""A contract survives the way to the standard's file and back."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from expectations.contract import Column, Contract, Kvkk
from expectations.odcs import ContractFileError, document, dump, load, terms
from expectations.tables import JOB_RUNS, SALES, TABLES


@pytest.mark.parametrize("contract", TABLES.contracts, ids=lambda c: c.name)
def test_a_written_contract_reads_back_the_same(contract: Contract) -> None:
    assert load(dump(contract), "a file") == terms(contract)


def test_personal_columns_keep_their_class() -> None:
    site = replace(SALES.columns[1], kvkk=Kvkk.PERSONAL)
    contract = replace(SALES, columns=(SALES.columns[0], site, *SALES.columns[2:]))
    assert load(dump(contract), "a file").contract.by_name["site"].kvkk is Kvkk.PERSONAL


def test_the_standard_s_own_fields_are_used() -> None:
    table = document(SALES)["schema"][0]
    columns = {p["name"]: p for p in table["properties"]}
    date = columns["date"]
    assert (date["logicalType"], date["physicalType"], date["required"], date["classification"]) == (
        "date",
        "DATE",
        True,
        "none",
    )
    assert [columns[k]["primaryKeyPosition"] for k in SALES.keys] == [1, 2, 3, 4]
    assert {n: p["partitionKeyPosition"] for n, p in columns.items() if "partitioned" in p} == {"tenant": 1, "year": 2}
    assert columns["units"]["customProperties"] == [{"property": "unit", "value": "piece"}]
    assert document(SALES)["team"] == {"name": SALES.owner}
    levels = {level["property"]: (level["value"], level["unit"]) for level in document(JOB_RUNS)["slaProperties"]}
    assert levels == {"retention": (400, "d")}


def test_a_rule_carries_its_severity_reason_and_query() -> None:
    (rule,) = [q for q in document(SALES)["schema"][0]["quality"] if q["name"] == "unit_price_plausible"]
    assert (rule["severity"], rule["type"], rule["mustBe"]) == ("warning", "sql", 0)
    assert rule["description"].startswith("A negative price")
    assert rule["query"].startswith("SELECT count(*) FROM {object} WHERE NOT (unit_price IS NULL OR")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a file is no contract that uretimiq wrote"),
        ("name: sales", "field 'schema' is missing"),
        ("a: [", "a file is no contract that uretimiq wrote"),
        (dump(SALES).replace("kind: AtMost", "kind: Never"), "field 'Never' is missing"),
        (dump(SALES).replace("physicalType: DOUBLE", "physicalType: MONEY"), "field 'MONEY' is missing"),
    ],
)
def test_a_file_of_another_make_is_refused_by_name(text: str, why: str) -> None:
    with pytest.raises(ContractFileError, match=why):
        load(text, "a file")


def test_a_type_without_counterpart_is_refused() -> None:
    with pytest.raises(ContractFileError, match="type date64"):
        document(replace(SALES, columns=(*SALES.columns, Column("x", pa.date64(), "-"))))
