"""Drives the observed processes: launch, trace, sample. Runs as a process of its own."""
