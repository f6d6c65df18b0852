"""How fast the pipeline is, beside the tools that it calls: `python -m bench`. docs/speed.md explains the figures."""
