"""The rules: each a small pure function over a moment, or over one hang of it."""
