"""One-off questions, a command each; README.md lists them. No other package imports a study."""
