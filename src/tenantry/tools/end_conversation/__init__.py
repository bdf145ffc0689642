"""An agent says that the contact is done."""
