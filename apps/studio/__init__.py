"""The studio: one page on which everything that Affetto does is done by hand."""
