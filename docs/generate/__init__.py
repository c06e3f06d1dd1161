"""Writes what the manual takes from the code: the commands, the reasons, the exit codes, the pictures."""
