"""The Docker Engine API (1.24 to 1.50) over a Unix socket: thin routes over lifecycle and services."""
