"""Tables as data, and how they are found by name."""
