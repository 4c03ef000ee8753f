"""
### The training of the demand models

On the first of the month at 08:00, after that day's forecast: trains and judges each tenant's models on what was known
at the cut-off and registers them in MLflow. A model with skill (better than seasonal naive and than the distribution of
the past year, by more than luck) becomes **champion** where there is none, else **challenger**: it forecasts beside the
champion every night, until the night's step follow_demand has seen enough. Of weeks, which no night can try in time, a
gain on the last fold has to do. Every decision and its figures lie in the
table `promotions`.

* A tenant's failure is its own: **verdict** names it when the others are done; its champion stays.
* A new tenant need not wait for the first: trigger with `tenants`.
"""

from datetime import timedelta

from airflow.sdk import chain, dag

from dags.steps import BRONZE, COMMON, FEATURES, MODELS, SILVER, at, step, verdict


@dag(schedule=at("0 8 1 * *"), doc_md=__doc__, tags=["demand"], **COMMON)
def monthly_training() -> None:
    chain(
        step("silver", "run silver --defer-failures", limit=timedelta(hours=1), inlets=[BRONZE], outlets=[SILVER]),
        step(
            "features", "run features --defer-failures", limit=timedelta(hours=2), inlets=[SILVER], outlets=[FEATURES]
        ),
        step(
            "train_demand",
            "run train-demand --defer-failures",
            limit=timedelta(hours=12),
            inlets=[FEATURES],
            outlets=[MODELS],
        ),
        verdict("silver", "features", "train-demand"),
    )


monthly_training()
