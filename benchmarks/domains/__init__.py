"""One module per domain: its own measures, their columns and its tables, found through ``Task.benchmark``."""
