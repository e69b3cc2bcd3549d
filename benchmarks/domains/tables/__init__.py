"""Tables of single domains, as data."""
