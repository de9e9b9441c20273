"""One interface to a stream of events, live or kept."""
