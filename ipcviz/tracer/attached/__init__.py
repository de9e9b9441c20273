"""Processes that ran before us: whether they can be watched, and how they are without being
changed.
"""
