"""One file a job: read, transform, write. The only Spark session and the only writer of Delta tables."""
