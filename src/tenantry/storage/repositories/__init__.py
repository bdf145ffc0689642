"""One module a noun: plain SQL in, domain types out; every query carries the tenant."""
