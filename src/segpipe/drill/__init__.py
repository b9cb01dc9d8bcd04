"""Rehearses a change of the world: the deployed model degrades, is it noticed, does it recover?"""
