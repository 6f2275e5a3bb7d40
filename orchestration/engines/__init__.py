"""Where models are built and marts are published: one package for each target, behind the one interface `Engine`."""
