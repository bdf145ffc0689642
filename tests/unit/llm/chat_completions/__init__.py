"""The chat-completions wire, without a network."""
