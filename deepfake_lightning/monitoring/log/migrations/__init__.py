"""How the tables of the prediction log came to be what they are: one file a revision."""
