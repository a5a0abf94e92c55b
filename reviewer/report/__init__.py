"""The report of a review: PDF, HTML and CSV of one and the same content (docs/signing.md)."""
