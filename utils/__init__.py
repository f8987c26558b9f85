"""Helpers shared by the lessons of A Gentle Introduction to Generative
Modelling.

Importing this package, or any module of it, does nothing else: it sets no
seed and no style, prints nothing and fetches nothing.
"""
