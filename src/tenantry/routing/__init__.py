"""Which agent a conversation goes to, by rules that are data, with its explanation; and how A/B variants do. No I/O."""
