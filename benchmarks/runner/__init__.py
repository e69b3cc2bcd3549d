"""The queue of benchmark runs, and the process that does one of them."""
