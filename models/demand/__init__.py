"""Demand: units of a product at a site, each of the next 28 days, as quantiles 0.1, 0.5 and 0.9."""
