"""Shared foundations, which import no other part: options, outputs, errors, files, progress."""
