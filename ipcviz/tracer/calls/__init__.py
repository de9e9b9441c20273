"""System calls as tables and pure functions: what each is, its arguments in words, its effects, its
time limits.
"""
