"""Runs the graph on this machine and reads what a run left behind."""
