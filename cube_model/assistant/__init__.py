"""An assistant on a user's answers: it finds them, says how sure it is, and refuses what it cannot answer."""
