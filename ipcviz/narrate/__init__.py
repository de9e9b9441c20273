"""From an event to a plain sentence in the field's terms."""
