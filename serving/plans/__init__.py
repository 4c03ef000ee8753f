"""What planners say beside the forecast: overrides, the plan that follows from them, scenarios."""
