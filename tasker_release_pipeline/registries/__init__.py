"""Asking the four registries what they hold, and uploading to them with their own clients.

`client.client` makes a registry's client, `publish.publish` is the one way that anything is uploaded, `compare.compare`
its pure decision, `endpoints.LIVE` the public registries' addresses.
"""
