"""What moved a detector's score: heat maps of faces, timelines of clips, and how far to trust them.

``heat`` makes the maps; ``curves`` (deletion and insertion) and ``randomised`` (shuffled weights)
ask whether they say anything about the network, ``overlap`` holds them against a known mask.
``timeline`` says which frames decided a clip. ``explain`` makes the record of it (``record``);
``words`` says it, ``pictures``, ``charts`` and ``page`` draw it, ``files`` writes it.
"""
