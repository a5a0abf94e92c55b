"""Backends: dose and tracking engines as plug-ins, each job in a process of its own (docs/backends.md)."""
