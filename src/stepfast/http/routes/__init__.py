"""The routes, grouped by subject. Each module adds its routes to a resolver with `add`."""
