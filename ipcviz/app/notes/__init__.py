"""The teacher's notes: what a screen offers at a socket, and what a second terminal shows of it."""
