"""Drawing tools as state machines in millimetres: `tool` is the contract, each further module one tool or a small family."""
