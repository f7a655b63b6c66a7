"""The rules, a module per family; importing one registers its rules."""
