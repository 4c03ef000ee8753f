"""The series of a tenant: found by name, in their hierarchy, with what was sold and how good their forecasts were."""
