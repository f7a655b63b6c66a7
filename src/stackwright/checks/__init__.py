"""Rules over the model: every mistake found before anything starts, in every environment.

``rule`` is the table, ``rules/`` its rows by family, ``subject`` and ``service`` what a rule sees of a
project in one environment, ``inspect`` and ``check`` run them. Nothing here prints or asks an engine.
"""
