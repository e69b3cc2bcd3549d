"""One module per domain: its measures, their columns and its tables, found through ``Task.benchmark``."""
