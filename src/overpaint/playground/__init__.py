"""The web page at `/`: see it paint, compare, mask, branch, copy the code. Gradio over the service's own use cases.

Everything a visitor does is done as the key they signed in with, through the same `Service` as every API call: same
rules, same limits. Holds ports only; knows no database, no device and no torch.
"""
