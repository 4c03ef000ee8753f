"""
### The training of the demand models

On the first of the month at 08:00, after that day's forecast: trains and judges each tenant's models on what was known
at the cut-off and registers them in MLflow. A model with skill (better than seasonal naive and than the distribution of
the past year, by more than luck) becomes **champion** where there is none, else **challenger**: it forecasts beside the
champion every night, until the night's step follow_demand has seen enough. Every decision and its figures lie in the table
`promotions`.

* A tenant's failure is its own: **verdict** names it when the others are done; its champion stays.
* A new tenant need not wait for the first: trigger with `tenants`.
"""

from airflow.sdk import chain, dag

from dags.steps import BRONZE, COMMON, FEATURES, MODELS, SILVER, at, for_tenants, verdict


@dag(schedule=at("0 8 1 * *"), doc_md=__doc__, tags=["demand"], **COMMON)
def monthly_training() -> None:
    chain(
        for_tenants("silver", hours=1, inlets=[BRONZE], outlets=[SILVER]),
        for_tenants("features", hours=2, inlets=[SILVER], outlets=[FEATURES]),
        for_tenants("train-demand", hours=12, inlets=[FEATURES], outlets=[MODELS]),
        verdict("silver", "features", "train-demand"),
    )


monthly_training()
