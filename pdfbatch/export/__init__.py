"""Datasets from what lies in an output: the ledger, manifests, Markdown and elements. Heavy libraries are loaded
only by the format that needs them."""
