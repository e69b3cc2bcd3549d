"""Judges that never trained an agent: two-sample tests by fresh classifiers."""
