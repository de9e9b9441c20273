"""The catalogue's scenarios, topic by topic: each stepped from its first to its last line, its story
held against the kernel and the screen.
"""
