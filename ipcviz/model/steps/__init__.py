"""Step mode: operations, turns, schedules, and the moments that a viewer moves between. Pure."""
