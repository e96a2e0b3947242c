"""What production did: the prediction log, and what is made of it. Knows no torch, no web server.

``log`` keeps each request and adds up minutes. ``windows`` reads figures of a period, ``review``
draws requests for people to look at, ``drift`` says whether what comes in is still as it was,
``alerts`` says what is wrong and tells people, ``report`` puts it all on a page.
"""
