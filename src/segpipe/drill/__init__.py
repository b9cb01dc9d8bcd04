"""A run's config in, a story out: the world changes, the deployed model degrades, is it noticed, does it recover?"""
