"""The map: a 2-D picture of utterances or dialogues, its tables in the database, and its tab's parts."""
