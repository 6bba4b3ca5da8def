"""Shared parts of the tests: invented data, small teachers, fixtures."""
