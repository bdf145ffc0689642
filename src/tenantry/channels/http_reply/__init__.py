"""HTTP replies: one request, one answer."""
