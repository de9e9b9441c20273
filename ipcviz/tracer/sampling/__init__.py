"""Looks at what is not told by calls: levels, values, tables, memory and /proc, several times a
second.
"""
