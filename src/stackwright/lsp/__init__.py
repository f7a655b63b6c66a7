"""The language server: what `check` and the model know, in an editor, as one types.

``workbench`` holds the open texts and the last result for each file; ``cursor`` says what is under the cursor;
``answers`` makes hovers, definitions and completions of the two. Only ``server`` knows the protocol.
"""
