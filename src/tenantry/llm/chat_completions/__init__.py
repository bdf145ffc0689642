"""Any model behind the chat-completions wire, streamed."""
