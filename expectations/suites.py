"""Contracts as Great Expectations suites: the only code that imports Great Expectations.

Each rule becomes a native expectation of the same meaning; the tests prove that it counts the same rows as the
rule's SQL. (An SQL expectation with the rule's own SQL would prove nothing.) Reports hold counts and never a
value: a page of Data Docs covers all tenants, and no tenant may see another's.

Importing this module takes seconds: import it where it is used.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import great_expectations as gx
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)
from great_expectations.expectations.core import (
    ExpectColumnPairValuesAToBeGreaterThanB,
    ExpectColumnValuesToBeBetween,
    ExpectColumnValuesToBeInSet,
    ExpectColumnValuesToMatchRegex,
    ExpectColumnValuesToNotBeNull,
    ExpectCompoundColumnsToBeUnique,
)

from expectations.contract import KEYS_UNIQUE, AtMost, Between, Contract, Matches, NotNull, OneOf, Rule, Severity, Zone

if TYPE_CHECKING:
    from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
    from great_expectations.data_context import EphemeralDataContext
    from pyspark.sql import DataFrame

SITE = "local"
KEPT = 30  # newest results of each suite in Data Docs, whose index is written anew each time; check_results has all
_SEVERITY = {Severity.BLOCKS: "critical", Severity.WARNS: "warning"}


class SuiteError(RuntimeError):
    """A rule could not be evaluated; the message names table, zone and rule."""


class _Counted:
    """An expectation that counts the failing rows and nothing else.

    The stock ones then run one Spark job more for each rule to show some of the bad values, which must not be
    shown, and another for each rule of several columns to count the rows that it looked at, which is all rows.
    """

    def get_validation_dependencies(self, *args: Any, **kwargs: Any) -> Any:
        dependencies = super().get_validation_dependencies(*args, **kwargs)  # type: ignore[misc]
        for name in [n for n in dependencies.get_metric_names() if n.endswith((".unexpected_values", _FILTERED))]:
            dependencies.remove_metric_configuration(name)
        return dependencies

    def _validate(self, metrics: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        looked_at = {f"{self.map_metric}{_FILTERED}": metrics["table.row_count"]}  # type: ignore[attr-defined]
        return super()._validate({**metrics, **looked_at}, *args, **kwargs)  # type: ignore[misc]


_FILTERED = ".filtered_row_count"


class CountedNotNull(_Counted, ExpectColumnValuesToNotBeNull):
    """The column is given in every row."""


class CountedBetween(_Counted, ExpectColumnValuesToBeBetween):
    """Values lie between two bounds."""


class CountedInSet(_Counted, ExpectColumnValuesToBeInSet):
    """Values are of a set."""


class CountedMatchRegex(_Counted, ExpectColumnValuesToMatchRegex):
    """Values match a pattern as a whole."""


class CountedAtMost(_Counted, ExpectColumnPairValuesAToBeGreaterThanB):
    """Column B is at most column A."""


class CountedUnique(_Counted, ExpectCompoundColumnsToBeUnique):
    """Columns together name one row."""


def _expectation(rule: Rule) -> Any:
    """The expectation of `rule`. Great Expectations skips nulls by itself, as the rules do."""
    about: dict[str, Any] = {
        "meta": {"rule": rule.name},
        "notes": f"{rule.name}: {rule.reason}",
        "severity": _SEVERITY[rule.severity],
    }
    match rule:
        case NotNull():
            return CountedNotNull(column=rule.column, **about)
        case Between():
            # A number without an upper bound must be finite; NaN lies above every number in Spark.
            finite = sys.float_info.max if rule.high is None and not isinstance(rule.low, str) else None
            high = finite if rule.high is None else rule.high
            return CountedBetween(column=rule.column, min_value=rule.low, max_value=high, **about)
        case OneOf():
            return CountedInSet(column=rule.column, value_set=list(rule.values), **about)
        case Matches():
            return CountedMatchRegex(column=rule.column, regex=rule.anchored, **about)
        case AtMost():
            # "neither" keeps rows with a null, whose comparison is null and so not counted as unexpected: the
            # same as skipping them, without a frame filtered for each pair.
            pair = {"column_A": rule.upper, "column_B": rule.lower, "or_equal": True, "ignore_row_if": "neither"}
            return CountedAtMost(**pair, **about)
    raise NotImplementedError(
        f"rule {rule.name}: no expectation for a {type(rule).__name__}; declare it in _expectation"
    )


def suite(contract: Contract, zone: Zone) -> gx.ExpectationSuite:
    """The rules of `contract` in `zone` as an expectation suite, the uniqueness of its rows, if asked, last."""
    expectations = [_expectation(rule) for rule in contract.rules_in(zone)]
    if named := contract.unique_in(zone):
        expectations.append(
            CountedUnique(
                column_list=list(named),
                ignore_row_if="never",
                meta={"rule": KEYS_UNIQUE},
                notes=f"{KEYS_UNIQUE}: these columns together name one row.",
                severity=_SEVERITY[Severity.BLOCKS],
            )
        )
    return gx.ExpectationSuite(
        name=f"{contract.name}_{zone}",
        expectations=expectations,
        notes=f"{contract.meaning} Version {contract.version}, owner {contract.owner}.",
    )


@dataclass(frozen=True)
class Report:
    """What Great Expectations found: rows looked at, and failing rows for each rule by name."""

    rows: int
    failed: Mapping[str, int]


def _folder(path: Path) -> dict[str, Any]:
    # Without a store id the two classes write nothing but results and pages.
    return {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(path), "suppress_store_backend_id": True}


def _context(home: Path | None) -> EphemeralDataContext:
    """A context that keeps results and Data Docs under `home`, and all else, like the data source, in memory."""
    kept = InMemoryStoreBackendDefaults()
    if home:
        results = {"class_name": "ValidationResultsStore", "store_backend": _folder(home / "gx" / "results")}
        kept.stores[kept.validation_results_store_name] = results
        index = {"class_name": "DefaultSiteIndexBuilder"}
        docs = {"class_name": "SiteBuilder", "site_index_builder": index, "store_backend": _folder(home / "data_docs")}
        kept.data_docs_sites = {SITE: docs}
    config = DataContextConfig(
        store_backend_defaults=kept, analytics_enabled=False, progress_bars=ProgressBarsConfig(globally=False)
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def validate(
    frame: DataFrame,
    contract: Contract,
    zone: Zone,
    *,
    home: Path | None = None,
    run_id: str = "",
    at: datetime | None = None,
    docs_lock: AbstractContextManager[Any] | None = None,
) -> Report:
    """Validate `frame` against the contract's suite. Persist the frame before: it is read several times.

    With `home`, the result is kept in HOME/gx/results and shown in HOME/data_docs under the name `run_id` and the
    moment `at`; `docs_lock` is held while pages are written. Raises SuiteError where a rule cannot be evaluated.
    """
    context = _context(home)
    asset = context.data_sources.add_spark("spark", persist=False).add_dataframe_asset(contract.name)
    data = asset.add_batch_definition_whole_dataframe(str(zone))
    declared = context.suites.add(suite(contract, zone))
    definition = gx.ValidationDefinition(name=declared.name, data=data, suite=declared)
    context.validation_definitions.add(definition)
    run = RunIdentifier(run_name=run_id or None, run_time=at)
    result = definition.run(
        batch_parameters={"dataframe": frame},
        result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
        run_id=run,
    )
    report = _report(result, contract, zone)
    if home:
        with docs_lock or nullcontext():
            for folder in (home / "gx" / "results", home / "data_docs" / "validations"):
                keep_newest(folder / declared.name)
            _build_docs(context, declared.name, run, result)
    return report


def _report(result: ExpectationSuiteValidationResult, contract: Contract, zone: Zone) -> Report:
    failed: dict[str, int] = {}
    rows = 0
    for one in result.results:
        rule = one.expectation_config.meta["rule"]
        rows = one.result.get("element_count", rows)
        # Over no rows at all Spark's sum is null.
        count = 0 if one.result.get("element_count") == 0 else one.result.get("unexpected_count")
        if count is None:
            why = next((i["exception_message"] for i in _exceptions(one.exception_info)), "no count came back")
            raise SuiteError(f"{contract.name} in {zone}: rule {rule} could not be evaluated: {why.splitlines()[0]}")
        failed[rule] = int(count)
    return Report(int(rows), failed)


def _exceptions(info: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Exception infos, which come alone or by metric."""
    if not info:
        return []
    several = [info] if "exception_message" in info else list(info.values())
    return [dict(i) for i in several if isinstance(i, Mapping) and i.get("exception_message")]


def keep_newest(folder: Path, kept: int = KEPT) -> None:
    """Remove all but the newest results of a suite; they lie in `folder` by run and by moment."""
    moments = sorted(folder.glob("*/*"), key=lambda path: (path.name, path.parent.name))
    for moment in moments[: max(len(moments) - kept, 0)]:
        shutil.rmtree(moment)
        if not any(moment.parent.iterdir()):
            moment.parent.rmdir()


def _build_docs(context: Any, name: str, run: RunIdentifier, result: ExpectationSuiteValidationResult) -> None:
    suite_id = ExpectationSuiteIdentifier(name=name)
    page = ValidationResultIdentifier(
        expectation_suite_identifier=suite_id, run_id=run, batch_identifier=result.batch_id
    )
    context.build_data_docs(site_names=[SITE], resource_identifiers=[page, suite_id])
