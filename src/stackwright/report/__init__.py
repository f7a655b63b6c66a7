"""Pictures and pages of a project, made from its model: nothing here asks an engine."""
