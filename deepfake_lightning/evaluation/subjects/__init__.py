"""What is named on a command line, made into scores that can be measured.

``targets`` tells what a name stands for. A detector (``detectors``, ``versions``) is scored on a
split (``scored_split``, ``scoring``); scores that are there already are read (``score_tables``),
those of other detectors too (``peers``, with ``peer_columns``, ``peer_values`` and ``cells``).
``attributes`` adds what else is known of the items.
"""
