"""The gate: may this version serve there?

``policy`` is what is asked of a version (``reading`` reads it from a file). ``collecting`` finds
out what is known of it and of what serves now (``facts``, ``recorded``, ``measuring``,
``timing``), which is ``evidence``. ``judge`` makes a ``decision`` of both, by the rules of
``rules_version``, ``rules_split``, ``rules_against``, ``rules_floors`` and ``rules_cost``; it does
nothing else, and is tested without files and networks. ``words`` says it, ``page`` draws it.
"""
