"""Meta classification: tables of components, classifiers, their validation and their promise."""
