"""One schedule in one ``fit``: how long it is, where it starts, what was written."""
