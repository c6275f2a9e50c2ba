"""Data-blocks made from a result. Each module makes one kind; :mod:`.build` puts them together."""
