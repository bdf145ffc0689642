"""An agent edits what it keeps in mind of a contact."""
