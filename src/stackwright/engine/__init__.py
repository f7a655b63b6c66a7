"""Client of the Docker Engine API, and finding or starting an engine."""
