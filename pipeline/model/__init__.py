"""The model class of all variants: a query tower and an audio tower with a joint embedding space."""
