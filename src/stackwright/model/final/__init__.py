"""The last form of a model: every value parsed once, in the order and spelling that ``config`` prints."""
