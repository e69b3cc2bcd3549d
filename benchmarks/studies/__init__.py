"""One-off questions, a command each; README.md lists them. Nothing imports a study."""
