"""Who may look: the server's own guard, and sessions of browsers in front of it.

A browser cannot send ``Authorization`` when it opens a page. So the page at ``/login`` sends a
token once, in that header, and gets a cookie that stands for it (``sessions``); ``doors`` says what
needs one, and ``entry`` are the login page and its answers. That a request comes from the page and
not from another one in the same browser is seen by ``origin``.
"""
