"""Kernel calls, one family a module, each a small function with the man page's name.

Imported by the monitor and init: nothing here may import more than os, ctypes and errno.
"""
