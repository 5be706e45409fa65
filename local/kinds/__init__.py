"""What a company on one machine has to know of each kind: one file a kind, and `catalogue.py` with all of them.

A file says what is seeded of its kind, bystanders included, in which words a rotation is told, what it may change, and
what has to be true afterwards. It asks the simulated services, never the app.
"""
