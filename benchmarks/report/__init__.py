"""Result files as tables, for a terminal or a page of HTML."""
