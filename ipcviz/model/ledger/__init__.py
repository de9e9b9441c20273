"""Whose bytes are in a channel, and whose bytes a read took. Pure."""
