"""Stops of traced threads: what each kind of stop means, what is told of it, and how the thread
goes on.
"""
