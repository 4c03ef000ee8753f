"""
### The demand forecast of a night

Every morning at 06:20, after each site's day has been cut off at 06:00 and the ingest of 06:15 has begun: what is in
bronze becomes **silver**, **features** and the **forecast** of the next 28 days (or 13 weeks), for all tenants in one run.

* A step works all tenants and leaves out those that an earlier step stopped. It fails only if it could not work at
  all (S3 away, Spark broken), and is then tried again.
* **verdict** fails, when all steps are done, if tenants failed or were blocked. Its log names each with the reason.
  The API serves such a tenant's last good forecast and says how old it is.
* **follow_demand** scores the nights of a week and of four weeks ago, watches for drift, and promotes the challenger or
  rolls the champion back where the evidence suffices: from the next night on.
* **demand_series** writes what the planner's page shows beside the forecasts: names, prices, the last two years, events.
* What is published is explained afterwards: a forecast waits for no explanation, and stays if one fails.
* To run one tenant's night again: trigger with `tenants` and `date`, here or as
  `uretimiq run nightly --tenant T --date D`.
"""

from airflow.sdk import chain, dag

from dags.steps import BRONZE, COMMON, FEATURES, FORECAST, MODELS, SILVER, at, for_tenants, verdict


# By the clock and not by the asset bronze, which changes up to 96 times a day: a night is one a day.
@dag(schedule=at("20 6 * * *"), doc_md=__doc__, tags=["demand"], **COMMON)
def nightly_demand() -> None:
    chain(
        for_tenants("silver", hours=1, inlets=[BRONZE], outlets=[SILVER]),
        for_tenants("features", hours=2, inlets=[SILVER], outlets=[FEATURES]),
        for_tenants("forecast-demand", hours=2, inlets=[FEATURES, MODELS], outlets=[FORECAST]),
        [
            # before the two others, which people wait for less
            for_tenants("demand-series", hours=1, inlets=[SILVER, FORECAST], priority_weight=2),
            for_tenants("explain-demand", hours=1, inlets=[FORECAST]),
            for_tenants("follow-demand", hours=1, inlets=[FEATURES, FORECAST], outlets=[MODELS]),
        ],
        verdict("silver", "features", "forecast-demand", "demand-series", "explain-demand", "follow-demand"),
    )


nightly_demand()
