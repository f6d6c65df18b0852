"""The four registries on loopback, for staging, rehearsals and tests.

`server.serve` starts them, `app.registries_app` is the application, `seed` copies published files in, `faults` lets
things go wrong on order. All state is a folder, so that several processes may serve the same registries, one after the
other or at the same time.
"""
