"""The API: reads gold and operations tables with delta-rs and DuckDB, never computes a prediction, starts no JVM."""
