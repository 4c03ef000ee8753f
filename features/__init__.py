"""Feature definitions: pure functions from Spark frames to Spark frames; no reading, no writing."""
