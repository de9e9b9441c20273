"""Scenarios: their format, loader, compiler and story."""
