"""The page and the API over one house."""
