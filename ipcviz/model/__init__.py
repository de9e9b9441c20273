"""The system's state and how each event changes it: pure values, no I/O."""
