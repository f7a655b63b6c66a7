"""Models as text: YAML and JSON as the reference prints them, and configuration hashes made of that."""
