"""A loopback Hub: the part of the HTTP protocol that the official clients use, with real commits and refs."""
