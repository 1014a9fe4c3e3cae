"""Letting uploads in: archives, pickles and programs are looked at before anything opens them."""
