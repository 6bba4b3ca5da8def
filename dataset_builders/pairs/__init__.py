"""Question -> answer pairs made of dialogues and intents, with mined negatives."""
