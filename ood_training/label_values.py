"""The two label values that are no class (section 1 of the specification).

They stand alone so that walking a data set does not wait for PyTorch to load.
"""

OOD_LABEL = 254
IGNORE_LABEL = 255
