"""The rules: each a function of a moment, or of an event in what went before it."""
