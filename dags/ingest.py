"""
### Ingest

Every quarter of an hour: takes what gateways have put into the landing bucket into **bronze**, bad rows into
**quarantine**. With nothing new it takes seconds.

* Fails, naming tenant and reason, if a tenant's objects could not be worked; the other tenants' are in by then.
* Run it again at any time: nothing is taken twice. What was taken: `uretimiq status`; what was refused:
  `uretimiq quarantine list`.
"""

from datetime import timedelta

from airflow.sdk import dag

from dags.steps import BRONZE, COMMON, at, step


@dag(schedule=at("*/15 * * * *"), doc_md=__doc__, tags=["lake"], **COMMON)
def ingest() -> None:
    step("ingest", "run ingest", limit=timedelta(hours=2), outlets=[BRONZE])


ingest()
