"""Is one detector better than another on the same items?

``matching`` and ``items`` find what all of them scored, ``compare`` makes the record of it
(``record``), with what they disagree on (``disagreement``). ``words`` and ``tables`` say it,
``page`` (with ``svg``) and ``markdown`` write it.
"""
