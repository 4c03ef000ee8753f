"""
### Housekeeping

Every Sunday at 03:00: joins the small files of many small appends, deletes rows that are older than their contract's
`retention_days`, and removes files that no table version of the last 400 days needs. Rows that a forecast or a
training manifest refers to stay readable for that long.

Nothing is lost by running it twice, or by missing a week. The landing bucket is left alone.
"""

from datetime import timedelta

from airflow.sdk import dag

from dags.steps import COMMON, at, step


@dag(schedule=at("0 3 * * 0"), doc_md=__doc__, tags=["lake"], **COMMON)
def housekeeping() -> None:
    step("housekeeping", "run housekeeping", limit=timedelta(hours=4))


housekeeping()
