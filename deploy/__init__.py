"""Starts and stops the servers of one machine, brings Spark's jars, shows the demo. Imports nothing of ours."""
