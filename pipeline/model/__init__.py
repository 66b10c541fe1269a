"""The one model class of all variants: an audio tower and a query tower that end in the same space."""
