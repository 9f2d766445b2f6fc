"""Forms of a derivative other than the dense array: what its terms store, and where that goes."""
