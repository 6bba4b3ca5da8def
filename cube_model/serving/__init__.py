"""Serve an assistant or an encoder over HTTP."""
