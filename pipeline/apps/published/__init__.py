"""Published models, local and on the hub: their folders, the model card, pushing and loading."""
