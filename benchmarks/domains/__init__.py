"""What single domains add to the benchmark, found through a string on their tasks: ``measures.domain_of``."""
