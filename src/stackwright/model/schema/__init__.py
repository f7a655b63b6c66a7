"""The shape of a Compose file, as tables: what may stand where, in short and long syntax.

One table serves the validation of files and the JSON Schema that ``stackwright schema`` prints.
"""
