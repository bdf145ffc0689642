"""From an inbound message to what came of it; knows no channel."""
