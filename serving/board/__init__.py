"""What a planner sees first, and what engineers and auditors look up: the overview, runs, checks."""
