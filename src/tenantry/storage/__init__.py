"""PostgreSQL: the only place that knows SQL."""
