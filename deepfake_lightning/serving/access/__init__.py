"""Who may ask, how often and how much: what acts before the app does."""
