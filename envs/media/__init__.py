"""How each kind of content is shown, heard, written to files and measured; domains share these."""
