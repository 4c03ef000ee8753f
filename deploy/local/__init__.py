"""The servers of one machine: S3 (SeaweedFS), MLflow, Airflow and the API, on loopback, under one home."""
