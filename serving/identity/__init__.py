"""Who asks: users and machines, their roles at each tenant, and what is written down of it."""
