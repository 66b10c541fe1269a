"""Published models, one's own and others': their folders, the model card, pushing one to the hub, loading one."""
