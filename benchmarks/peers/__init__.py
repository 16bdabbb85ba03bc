"""The same work as others do it: small, real programs on the same engines.

They serve with the suite's own flags (`shared.service.run`: uvicorn, uvloop, httptools) and are
asked the very requests that the suite is asked. Whoever writes such a service would do much more;
each does the least that deserves its name.
"""
