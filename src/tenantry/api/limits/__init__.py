"""Rate limits and budgets over HTTP."""
