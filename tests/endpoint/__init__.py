"""The engine `endpoint`, and servers that are slow, refuse, loop, truncate and lie."""
