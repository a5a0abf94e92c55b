"""Sign-off: who approved or rejected what, bound to its content by hashes, and in the chained log of the workspace (docs/signing.md)."""
