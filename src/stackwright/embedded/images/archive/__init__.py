"""Tar archives, read from people one does not trust and written so that the same folder gives the same
bytes.
"""
