"""Media, shared by domains: they show, play, export and measure one kind of content each."""
