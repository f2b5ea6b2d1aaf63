"""The two networks that the project starts from, as the document writes them."""
