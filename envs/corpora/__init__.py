"""Real data: find it, parse it, cache it, split it - one module per source."""
