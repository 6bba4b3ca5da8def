"""Messages of a conversation -> turns of dialogues: order, pauses, roles, names and clean texts."""
