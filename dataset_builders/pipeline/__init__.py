"""`dialogue-cube pipeline`: raw files -> dataset -> database -> core -> evaluation -> Hub, each step when needed."""
