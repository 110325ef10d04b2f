"""The version, apart from the public door so that every room may write it into its files."""

__version__ = "0.1.0"
