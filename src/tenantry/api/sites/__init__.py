"""Sites over HTTP: where calls may be opened from in a browser."""
