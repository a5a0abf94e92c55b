"""The command line: composition root of the engine's side."""
