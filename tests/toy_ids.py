"""Registers the toys when imported, for `MODULE:ID` on the command line."""

import toys

toys.register()
