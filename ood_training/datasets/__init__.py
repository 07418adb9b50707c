"""Data sets, one a file; every frame is keyed by its id and every selection is sorted."""
