"""One module per command: ``add_arguments(parser)`` and ``run(arguments) -> int``. Imported by name, one at a time."""
