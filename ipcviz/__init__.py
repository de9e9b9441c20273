"""ipcviz: see inter-process communication happen, through the kernel's own interfaces."""

__version__ = "0.2.0"
