"""The command line: words to calls, no logic of its own; one module per command."""
