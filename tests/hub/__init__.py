"""A loopback Hub: what the official clients use of the Hub's HTTP protocol, with real commits and refs."""
