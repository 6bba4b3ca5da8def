"""`dialogue-cube pipeline`: raw files -> dataset -> database -> core -> evaluation -> Hub, only the steps needed."""
