"""What production did: the prediction log, and what is made of it. Knows no torch, no web server.

``log`` keeps each request and adds up minutes.
"""
