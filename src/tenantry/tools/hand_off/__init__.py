"""An agent hands its conversation over to another."""
