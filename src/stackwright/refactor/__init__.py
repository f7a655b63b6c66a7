"""Source-preserving edits of Compose files: every comment and every blank that is not meant stays."""
