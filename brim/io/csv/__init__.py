"""CSV: typed once, then strictly."""
