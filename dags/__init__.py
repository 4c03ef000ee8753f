"""The DAGs: when the jobs run, in which order, and how often they are tried again. They name jobs and hold no logic."""
